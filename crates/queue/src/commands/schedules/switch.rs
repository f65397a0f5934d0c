//! `queue schedules remove`, `pause`, `resume` and `run`: one schedule, and what becomes of it.

use serde_json::json;

use super::{OneArgs, book, fault};
use crate::{console::Console, fault::Fault};

pub(super) async fn remove(console: &Console, one: &OneArgs) -> Result<(), Fault> {
    let OneArgs { name, queue, json } = one;
    book(console)
        .remove(queue, name)
        .await
        .map_err(|error| fault(console, error))?;
    if *json {
        return console
            .out
            .json(&json!({ "queue": queue, "name": name, "removed": true }));
    }
    console.out.print("Removed.\n")
}

pub(super) async fn switch(console: &Console, one: &OneArgs, paused: bool) -> Result<(), Fault> {
    let OneArgs { name, queue, json } = one;
    let book = book(console);
    let changed = if paused {
        book.pause(queue, name).await
    } else {
        book.resume(queue, name).await
    };
    let changed = changed.map_err(|error| fault(console, error))?;
    if *json {
        return console
            .out
            .json(&json!({ "queue": queue, "name": name, "paused": paused, "changed": changed }));
    }
    console.out.print(match (paused, changed) {
        (true, true) => "Paused: it hands nothing in.\n",
        (true, false) => "It was paused already.\n",
        (false, true) => "Resumed: it runs when it is next due.\n",
        (false, false) => "It was not paused.\n",
    })
}

pub(super) async fn run(console: &Console, one: &OneArgs) -> Result<(), Fault> {
    let OneArgs { name, queue, json } = one;
    let receipt = book(console)
        .run(queue, name)
        .await
        .map_err(|error| fault(console, error))?;
    if *json {
        return console
            .out
            .json(&json!({ "queue": queue, "name": name, "job": receipt.id }));
    }
    console.out.print(&format!("{}\n", receipt.id))
}
