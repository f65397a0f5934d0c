//! `queue top`: the queues on a full screen, live. Changes something only where a key asked for it and `y` confirmed it.
//!
//! Keys are heard while Redis is asked, and while it is away. The terminal is as it was before, however this ends.

use std::{future::Future, pin::Pin};

use broker::QueueArgs;
use clap::Args;
use crossterm::event::{Event, EventStream};
use futures_util::StreamExt as _;
use protocol::QueueName;
use tokio::{
    signal::unix::{SignalKind, signal},
    time::{MissedTickBehavior, interval},
};

use crate::{Millis, console::Console, fault::Fault, interrupt::stopped, text::age};

mod cursor;
mod deed;
mod draw;
mod ink;
mod keys;
mod panels;
#[cfg(test)]
mod pictures;
mod screen;
mod seen;
mod trail;
mod view;

use ink::Ink;
use keys::Wish;
use screen::Screen;
use seen::Seen;
use view::View;

/// Options of `queue top`.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Keys: arrows or j and k select, Tab goes to the next panel, Enter shows a job, p pauses or resumes
the selected queue, r runs the selected failed job again, ? shows all keys, q leaves.

Needs a terminal. For pipes there is `queue watch`, for programs `queue watch --json`.

Examples:
  queue top
  queue top chat --interval 500ms")]
pub struct TopArgs {
    /// The queue that is selected at first
    pub queue: Option<QueueName>,
    /// How long to wait between two looks: 500ms, 1s, 1m
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = Millis::rest)]
    pub interval: Millis,
    /// What is kept of jobs that end, and of their logs.
    #[command(
        flatten,
        next_help_heading = "What is kept: as it is set for all processes"
    )]
    pub keep: QueueArgs,
}

/// Something that Redis is asked while keys are heard.
type Asked<'a, T> = Option<Pin<Box<dyn Future<Output = T> + 'a>>>;

/// Asks on, if anything was asked; else waits for ever.
async fn answer<T>(asked: &mut Asked<'_, T>) -> T {
    match asked {
        Some(answer) => {
            let answer = answer.await;
            *asked = None;
            answer
        }
        None => std::future::pending().await,
    }
}

pub(crate) async fn top(console: &Console, args: TopArgs) -> Result<(), Fault> {
    if !Screen::is_possible(&console.out) {
        return Err(Fault::Usage(
            "`queue top` needs a terminal for its keys and its picture: use `queue watch` in a pipe, \
             `queue watch --json` in a program"
                .to_owned(),
        ));
    }
    let view = View::new(
        console.redis.address(),
        console.redis.prefix().to_owned(),
        args.queue.clone(),
        args.interval,
    );
    let stop = stopped()?;
    let mut hangup = signal(SignalKind::hangup()).map_err(Fault::Signals)?;
    let screen = Screen::open()?;
    tokio::select! {
        result = live(console, &args, view, screen) => result,
        () = stop => Ok(()),
        _ = hangup.recv() => Ok(()),
    }
}

async fn live(
    console: &Console,
    args: &TopArgs,
    mut view: View,
    mut screen: Screen,
) -> Result<(), Fault> {
    let ink = Ink::new(console.out.has_colour());
    let mut keys = EventStream::new();
    let mut ticks = interval(args.interval.duration());
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut looking: Asked<'_, Result<Seen, broker::Error>> = None;
    let mut doing: Asked<'_, Result<String, Fault>> = None;
    let mut opening: Asked<'_, Result<_, broker::Error>> = None;
    loop {
        view.now = age::now_ms();
        screen.draw(|frame| draw::draw(&view, ink, frame.area(), frame.buffer_mut()))?;
        let wish = tokio::select! {
            biased;
            key = keys.next() => match key {
                Some(Ok(Event::Key(key))) => view.press(key),
                // Another size, most likely: it is drawn anew.
                Some(Ok(_)) => Wish::Nothing,
                // The terminal is gone.
                Some(Err(_)) | None => return Ok(()),
            },
            seen = answer(&mut looking) => {
                view.take(seen.map_err(|error| console.fault(&error).to_string()));
                Wish::Nothing
            }
            told = answer(&mut doing) => {
                view.note = Some(told.unwrap_or_else(|fault| fault.to_string()));
                Wish::Look
            }
            job = answer(&mut opening) => {
                view.show(job.map_err(|error| console.fault(&error).to_string()));
                Wish::Nothing
            }
            _ = ticks.tick() => if looking.is_some() { Wish::Nothing } else { Wish::Look },
        };
        match wish {
            Wish::Nothing => {}
            Wish::Leave => return Ok(()),
            Wish::Look => looking = Some(Box::pin(seen::look(&console.inspector, view.queue()))),
            Wish::Do(deed) => doing = Some(Box::pin(deed.done(console, args.keep.clone()))),
            Wish::Open(queue, id) => {
                let inspector = &console.inspector;
                opening = Some(Box::pin(async move { inspector.get(&queue, id).await }));
            }
        }
    }
}
