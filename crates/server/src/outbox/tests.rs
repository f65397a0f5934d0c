//! An outbox is bounded, and says so in time.

use futures_util::FutureExt as _;
use tokio::{
    io::AsyncReadExt as _,
    net::{TcpListener, TcpStream},
};

use super::{BATCH_BYTES, Limits, Outbox, Pushed, Sent, Signal};
use crate::{Batch, Frame};

fn outbox(frames: usize, bytes: usize) -> Outbox {
    Outbox::new(Limits { frames, bytes })
}

/// What a writer would take now.
fn take(outbox: &Outbox, batch: &mut Batch) -> Option<usize> {
    Some(outbox.lock().take(batch, BATCH_BYTES)).filter(|bytes| *bytes > 0)
}

fn text(length: usize) -> Frame {
    Frame::text(&"x".repeat(length))
}

#[test]
fn frames_are_bounded_and_what_is_being_written_counts() {
    let outbox = outbox(3, 1000);
    assert_eq!(outbox.push(text(1)), Pushed::Queued);
    let mut batch = Batch::default();
    assert_eq!(take(&outbox, &mut batch), Some(3));
    assert_eq!(outbox.push_all(&[text(1), text(1)]), Pushed::Queued);
    assert_eq!(outbox.push(text(1)), Pushed::Overflowed(3));
    assert!(outbox.asked(Signal::Slow).now_or_never().is_some());
    assert_eq!(outbox.push(text(1)), Pushed::Closed);
    assert!(
        take(&outbox, &mut Batch::default()).is_none(),
        "memory is released"
    );
}

#[test]
fn bytes_are_bounded_but_one_long_frame_passes() {
    let outbox = outbox(100, 50);
    assert_eq!(outbox.push(text(90)), Pushed::Queued);
    assert_eq!(outbox.push(text(1)), Pushed::Overflowed(2));
    let other = self::outbox(100, 50);
    assert_eq!(other.push_all(&[text(20), text(20)]), Pushed::Queued);
    assert_eq!(other.push(text(20)), Pushed::Overflowed(3));
}

#[test]
fn progress_conflates_before_a_client_is_slow_and_nothing_else_does() {
    let outbox = outbox(4, 10_000);
    let progress = |job: &str| text(2).superseded_by("a:b", job);
    assert_eq!(
        outbox.push_all(&[progress("1"), text(5), progress("2")]),
        Pushed::Queued
    );
    assert_eq!(outbox.push(progress("1")), Pushed::Queued);
    // Full: the first of job 1 goes, since a later one waits.
    assert_eq!(outbox.push(text(7)), Pushed::Queued);
    let mut batch = Batch::default();
    assert_eq!(take(&outbox, &mut batch), Some(7 + 4 + 4 + 9));
    assert_eq!(batch.len(), 4);
    assert_eq!(outbox.push(text(1)), Pushed::Overflowed(1));
}

#[test]
fn a_kick_says_why_and_comes_before_leaving() {
    let outbox = outbox(4, 1000);
    outbox.ask(Signal::Leave);
    assert!(outbox.asked(Signal::Kick).now_or_never().is_none());
    outbox.kick(protocol::centrifugo::Disconnect::Expired);
    outbox.kick(protocol::centrifugo::Disconnect::Stale);
    assert!(outbox.asked(Signal::Kick).now_or_never().is_some());
    assert_eq!(
        outbox.kicked(),
        Some(protocol::centrifugo::Disconnect::Expired)
    );
    assert_eq!(outbox.push(text(1)), Pushed::Closed);
}

#[test]
fn room_is_waited_for_until_half_is_free() {
    let outbox = outbox(2, 1000);
    assert_eq!(outbox.push_all(&[text(1), text(1)]), Pushed::Queued);
    assert!(outbox.room().now_or_never().is_none());
    assert!(take(&outbox, &mut Batch::default()).is_some());
    assert!(
        outbox.room().now_or_never().is_none(),
        "it is being written"
    );
    assert!(take(&outbox, &mut Batch::default()).is_none());
    assert!(outbox.room().now_or_never().is_some());
}

#[test]
fn writing_makes_room() {
    let outbox = outbox(2, 1000);
    for _ in 0..10 {
        assert_eq!(outbox.push_all(&[text(1), text(1)]), Pushed::Queued);
        let mut batch = Batch::default();
        assert_eq!(take(&outbox, &mut batch), Some(6));
        assert_eq!(batch.len(), 2);
        // Taking again, even in vain, says that the batch is written.
        assert!(take(&outbox, &mut Batch::default()).is_none());
    }
}

#[test]
fn a_batch_is_smaller_than_the_outbox() {
    let outbox = outbox(100, 10 * BATCH_BYTES);
    for _ in 0..4 {
        outbox.push(text(BATCH_BYTES / 2));
    }
    let mut batch = Batch::default();
    assert!(take(&outbox, &mut batch).unwrap() <= BATCH_BYTES);
    assert_eq!(batch.len(), 1);
    outbox.take_rest(&mut batch);
    assert_eq!(batch.len(), 4);
}

#[test]
fn many_pings_take_little_room_and_go_first() {
    let outbox = outbox(1, 1000);
    outbox.push(text(1));
    for _ in 0..100 {
        outbox.pong(b"abc");
        outbox.ping();
    }
    let mut batch = Batch::default();
    assert_eq!(take(&outbox, &mut batch), Some(16 * 5 + 2 + 3));
}

#[test]
fn a_stronger_signal_stays() {
    let outbox = outbox(1, 1);
    outbox.ask(Signal::Leave);
    assert!(outbox.asked(Signal::Leave).now_or_never().is_some());
    assert!(outbox.asked(Signal::Slow).now_or_never().is_none());
    assert_eq!(
        outbox.push(text(1)),
        Pushed::Queued,
        "a leaving client still gets its answers"
    );
    outbox.ask(Signal::Stop);
    outbox.ask(Signal::Slow);
    assert!(outbox.asked(Signal::Stop).now_or_never().is_some());
}

#[tokio::test]
async fn the_attached_task_is_woken() {
    let outbox = std::sync::Arc::new(outbox(10, 1000));
    let other = outbox.clone();
    let waiting = async {
        outbox.attach().await;
        outbox.filled().await;
    };
    let ((), ()) = tokio::join!(waiting, async {
        tokio::task::yield_now().await;
        other.push(text(1));
    });
}

#[tokio::test]
async fn a_flush_writes_at_once_and_the_task_does_the_rest_in_order() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (client, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
    let (mut client, (_reader, socket)) = (client.unwrap(), accepted.unwrap().0.into_split());
    let outbox = outbox(usize::MAX, usize::MAX);
    outbox.open(socket);
    let sent = |frames, bytes| Sent { frames, bytes };
    assert_eq!(outbox.put_all(&[text(1)]), (Pushed::Queued, true));
    assert_eq!(outbox.put_all(&[text(2)]), (Pushed::Queued, false));
    assert_eq!(outbox.flush(), sent(2, 3 + 4));
    assert_eq!(outbox.flush(), sent(0, 0));
    // Until the socket takes no more: what is begun is the task's, and nothing goes between.
    let mut expected = [text(1), text(2)].map(Frame::into_bytes).concat();
    for n in 0.. {
        let frame = text(20_000 + n);
        expected.extend_from_slice(&frame.clone().into_bytes());
        let _ = outbox.put_all(&[frame]);
        if outbox.flush().frames == 0 {
            break;
        }
    }
    outbox.pong(b"abc");
    assert_eq!(outbox.flush(), sent(0, 0));
    let write = async {
        outbox.filled().await;
        std::future::poll_fn(|cx| outbox.poll_write(cx)).await
    };
    let mut received = vec![0; expected.len() + 5];
    let (rest, read) = tokio::join!(write, client.read_exact(&mut received[..expected.len()]));
    assert_eq!((rest.unwrap().frames, read.is_ok()), (1, true));
    assert_eq!(outbox.flush(), sent(1, 5));
    client
        .read_exact(&mut received[expected.len()..])
        .await
        .unwrap();
    expected.extend_from_slice(&Frame::pong(b"abc").into_bytes());
    assert!(received == expected);
    // Once it is closed nothing more is written.
    let (socket, batch) = outbox.close();
    assert!(socket.is_some() && batch.is_empty());
    let _ = outbox.put_all(&[text(1)]);
    assert_eq!(outbox.flush(), sent(0, 0));
}
