//! Clients that chat while something happens, and the sum afterwards.

use broker::testing::until;
use e2e::{Client, Ledger, System};

/// Sends `count` distinct messages, never more than a few hundred ahead of those that are accepted.
pub async fn stream(client: &mut Client, name: &str, count: usize) {
    for n in 0..count {
        client.feed(&format!("{name} {n}")).await;
        if n % 50 == 49 {
            client.flush().await;
            // Not faster than the system: what is sent while Redis is away has to fit into its patience.
            let wanted = n.saturating_sub(200);
            until("the system keeps up", async || {
                (Ledger::of(&client.texts()).accepted() >= wanted).then_some(())
            })
            .await;
        }
    }
    client.flush().await;
}

/// Waits until every client has the text and the result of so many messages, and wants each once and in order.
pub async fn settle(clients: &[&Client], messages: usize) {
    for client in clients {
        until("all results came", async || {
            let ledger = Ledger::of(&client.texts());
            assert!(ledger.errors().is_empty(), "refused: {:?}", ledger.errors());
            (ledger.accepted() == messages && ledger.done() == messages).then_some(())
        })
        .await;
        Ledger::of(&client.texts()).check().unwrap();
    }
}

/// Waits until nothing waits or runs in the chat queue.
pub async fn drained(system: &System) {
    let inspector = system.inspector();
    until("the queue is empty", async || {
        let (counts, _) = inspector.counts(&System::chat()).await.ok()?;
        (counts.waiting + counts.delayed + counts.active == 0).then_some(())
    })
    .await;
}
