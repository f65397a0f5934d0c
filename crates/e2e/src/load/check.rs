//! What each receiver has got of each sender: every message once, in order, its result not before it.

use std::collections::VecDeque;

use clap::ValueEnum;

/// In which order results must come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Order {
    /// In that of their messages.
    Strict,
    /// In any, as handlers that run at the same time may end; those that came early are counted
    Any,
}

/// A delivery that may not be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    /// One or more before it never came, or come too late.
    #[error("receiver {receiver}: {what} {got} of sender {sender} came, {expected} was next")]
    OutOfOrder {
        /// Who got it.
        receiver: usize,
        /// Who sent it.
        sender: usize,
        /// Message or result.
        what: &'static str,
        /// Which came.
        got: u64,
        /// Which should have come.
        expected: u64,
    },
    /// It came before.
    #[error("receiver {receiver}: {what} {got} of sender {sender} came again")]
    Twice {
        /// Who got it.
        receiver: usize,
        /// Who sent it.
        sender: usize,
        /// Message or result.
        what: &'static str,
        /// Which came.
        got: u64,
    },
    /// A result whose message has not come.
    #[error("receiver {receiver}: result {got} of sender {sender} came before its message")]
    TooEarly {
        /// Who got it.
        receiver: usize,
        /// Who sent it.
        sender: usize,
        /// Which came.
        got: u64,
    },
    /// All is over and this has not come.
    #[error("receiver {receiver}: {what} {next} of sender {sender} never came, {sent} were sent")]
    Lost {
        /// Who lacks it.
        receiver: usize,
        /// Who sent it.
        sender: usize,
        /// Message or result.
        what: &'static str,
        /// The first that lacks.
        next: u64,
        /// How many were sent.
        sent: u64,
    },
    /// Nobody sent it.
    #[error("receiver {receiver} got something of sender {sender}, whom there is not")]
    Unknown {
        /// Who got it.
        receiver: usize,
        /// Who is said to have sent it.
        sender: usize,
    },
}

/// What one receiver has of one sender.
#[derive(Clone, Debug, Default)]
struct Page {
    /// The next message.
    messages: u64,
    /// The first result that has not come.
    results: u64,
    /// Which of those behind it have come.
    ahead: VecDeque<bool>,
}

/// Keeps track of all receivers and senders.
#[derive(Clone, Debug)]
pub struct Book {
    pages: Vec<Vec<Page>>,
    order: Order,
    early: u64,
}

const MESSAGE: &str = "message";
const RESULT: &str = "result";

impl Book {
    /// Nothing has come yet.
    pub fn new(receivers: usize, senders: usize, order: Order) -> Self {
        Self {
            pages: vec![vec![Page::default(); senders]; receivers],
            order,
            early: 0,
        }
    }

    fn page(&mut self, receiver: usize, sender: usize) -> Result<&mut Page, Wrong> {
        self.pages[receiver]
            .get_mut(sender)
            .ok_or(Wrong::Unknown { receiver, sender })
    }

    /// A message came.
    pub fn message(&mut self, receiver: usize, sender: usize, got: u64) -> Result<(), Wrong> {
        let page = self.page(receiver, sender)?;
        let expected = page.messages;
        let what = MESSAGE;
        match got.cmp(&expected) {
            std::cmp::Ordering::Equal => {
                page.messages += 1;
                Ok(())
            }
            std::cmp::Ordering::Less => Err(Wrong::Twice {
                receiver,
                sender,
                what,
                got,
            }),
            std::cmp::Ordering::Greater => Err(Wrong::OutOfOrder {
                receiver,
                sender,
                what,
                got,
                expected,
            }),
        }
    }

    /// A result came. Returns the first one that has not.
    pub fn result(&mut self, receiver: usize, sender: usize, got: u64) -> Result<u64, Wrong> {
        let order = self.order;
        let page = self.page(receiver, sender)?;
        if got >= page.messages {
            return Err(Wrong::TooEarly {
                receiver,
                sender,
                got,
            });
        }
        let what = RESULT;
        let twice = Wrong::Twice {
            receiver,
            sender,
            what,
            got,
        };
        let expected = page.results;
        let Some(distance) = got.checked_sub(expected) else {
            return Err(twice);
        };
        if distance == 0 {
            page.results += 1;
            // The first place of those ahead is the one that has now come, or was never made.
            page.ahead.pop_front();
            while page.ahead.front() == Some(&true) {
                page.ahead.pop_front();
                page.results += 1;
            }
            return Ok(page.results);
        }
        if order == Order::Strict {
            return Err(Wrong::OutOfOrder {
                receiver,
                sender,
                what,
                got,
                expected,
            });
        }
        // It is less than the number of messages on their way.
        let index = usize::try_from(distance).unwrap_or(usize::MAX);
        if page.ahead.len() <= index {
            page.ahead.resize(index + 1, false);
        }
        if std::mem::replace(&mut page.ahead[index], true) {
            return Err(twice);
        }
        self.early += 1;
        Ok(expected)
    }

    /// How many results came before one that they should have followed.
    pub const fn early(&self) -> u64 {
        self.early
    }

    /// How many messages, and how many results without a gap, a receiver has of a sender.
    pub fn has(&self, receiver: usize, sender: usize) -> (u64, u64) {
        let page = &self.pages[receiver][sender];
        (page.messages, page.results)
    }

    /// Whether everybody has everything, where `sent` says how many messages of each sender there are.
    pub fn close(&self, sent: &[u64], results: bool) -> Result<(), Wrong> {
        for (receiver, pages) in self.pages.iter().enumerate() {
            for (sender, (page, sent)) in pages.iter().zip(sent).enumerate() {
                let lost = |what, next| Wrong::Lost {
                    receiver,
                    sender,
                    what,
                    next,
                    sent: *sent,
                };
                if page.messages < *sent {
                    return Err(lost(MESSAGE, page.messages));
                }
                if results && page.results < *sent {
                    return Err(lost(RESULT, page.results));
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
