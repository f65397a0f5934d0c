//! What each receiver has got of each sender: every message once, in order, its result not before it.

use std::collections::VecDeque;

use clap::ValueEnum;

/// What must come in order. Everything must come exactly once anyway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Order {
    /// A sender's messages, and its results in the order of their messages
    Strict,
    /// A sender's messages; each result after its message, but in any order, as handlers that run at the same time may
    /// end. Those that come before one of an earlier message are counted
    Messages,
    /// Nothing, for a system that promises nothing
    Nothing,
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

/// A row of numbers of which each is to come once.
#[derive(Clone, Debug, Default)]
struct Line {
    /// The first that has not come.
    next: u64,
    /// Which of those from there on have come. It is as long as what is on its way.
    ahead: VecDeque<bool>,
}

/// How a number comes.
enum Came {
    InTurn,
    Early,
    Again,
}

impl Line {
    fn has(&self, number: u64) -> bool {
        let Some(distance) = number.checked_sub(self.next) else {
            return true;
        };
        let index = usize::try_from(distance).unwrap_or(usize::MAX);
        self.ahead.get(index) == Some(&true)
    }

    fn take(&mut self, number: u64) -> Came {
        if self.has(number) {
            return Came::Again;
        }
        let index = usize::try_from(number - self.next).unwrap_or(usize::MAX);
        if index > 0 {
            if self.ahead.len() <= index {
                self.ahead.resize(index + 1, false);
            }
            self.ahead[index] = true;
            return Came::Early;
        }
        self.next += 1;
        // Its own place, if it was made.
        self.ahead.pop_front();
        while self.ahead.front() == Some(&true) {
            self.ahead.pop_front();
            self.next += 1;
        }
        Came::InTurn
    }
}

/// What one receiver has of one sender.
#[derive(Clone, Debug, Default)]
struct Page {
    messages: Line,
    results: Line,
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
        let ordered = self.order != Order::Nothing;
        let page = self.page(receiver, sender)?;
        let expected = page.messages.next;
        let what = MESSAGE;
        match page.messages.take(got) {
            Came::Again => Err(Wrong::Twice {
                receiver,
                sender,
                what,
                got,
            }),
            Came::Early if ordered => Err(Wrong::OutOfOrder {
                receiver,
                sender,
                what,
                got,
                expected,
            }),
            Came::InTurn | Came::Early => Ok(()),
        }
    }

    /// A result came. Returns the first one that has not.
    pub fn result(&mut self, receiver: usize, sender: usize, got: u64) -> Result<u64, Wrong> {
        let order = self.order;
        let page = self.page(receiver, sender)?;
        if order != Order::Nothing && !page.messages.has(got) {
            return Err(Wrong::TooEarly {
                receiver,
                sender,
                got,
            });
        }
        let expected = page.results.next;
        let what = RESULT;
        match page.results.take(got) {
            Came::InTurn => Ok(page.results.next),
            Came::Again => Err(Wrong::Twice {
                receiver,
                sender,
                what,
                got,
            }),
            Came::Early if order == Order::Strict => Err(Wrong::OutOfOrder {
                receiver,
                sender,
                what,
                got,
                expected,
            }),
            Came::Early => {
                self.early += 1;
                Ok(expected)
            }
        }
    }

    /// How many results came before one that they should have followed.
    pub const fn early(&self) -> u64 {
        self.early
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
                if page.messages.next < *sent {
                    return Err(lost(MESSAGE, page.messages.next));
                }
                if results && page.results.next < *sent {
                    return Err(lost(RESULT, page.results.next));
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
