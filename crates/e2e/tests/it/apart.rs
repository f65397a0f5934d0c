//! Two servers, and rooms that are no concern of one of them.

use e2e::scale::apart;

#[tokio::test]
async fn a_message_to_a_room_costs_a_server_without_members_nothing() {
    let found = apart(50, 5).await.unwrap();
    assert_eq!(found.frames, 50 * 5 * 2);
    assert_eq!(found.here.written, 50 * 5 * 2, "{found:?}");
    assert!(found.here.relayed >= 10, "{found:?}");
    assert!(found.there.is_none(), "{found:?}");
    assert!(found.quiet.is_none(), "{found:?}");
}
