//! The checker sees what is lost, doubled or out of order.

use super::{Book, MESSAGE, Order, RESULT, Wrong};

/// A receiver that has three messages of one sender and no result.
fn three(order: Order) -> Book {
    let mut book = Book::new(1, 1, order);
    for number in 0..3 {
        book.message(0, 0, number).unwrap();
    }
    book
}

#[test]
fn all_that_came_in_order_is_well() {
    let mut book = Book::new(2, 2, Order::Strict);
    for number in 0..5 {
        for (receiver, sender) in [(0, 0), (0, 1), (1, 1), (1, 0)] {
            book.message(receiver, sender, number).unwrap();
            let next = book.result(receiver, sender, number);
            assert_eq!(next, Ok(number + 1));
        }
    }
    assert_eq!(book.close(&[5, 5], true), Ok(()));
    assert_eq!(book.early(), 0);
}

#[test]
fn a_lost_message_is_seen() {
    let mut book = three(Order::Messages);
    assert_eq!(
        book.message(0, 0, 4),
        Err(Wrong::OutOfOrder {
            receiver: 0,
            sender: 0,
            what: MESSAGE,
            got: 4,
            expected: 3
        })
    );
    let lost = Wrong::Lost {
        receiver: 0,
        sender: 0,
        what: MESSAGE,
        next: 3,
        sent: 4,
    };
    assert_eq!(book.close(&[4], false), Err(lost));
}

#[test]
fn a_lost_result_is_seen() {
    let mut book = three(Order::Messages);
    book.result(0, 0, 0).unwrap();
    book.result(0, 0, 2).unwrap();
    assert_eq!(book.close(&[3], false), Ok(()));
    let lost = Wrong::Lost {
        receiver: 0,
        sender: 0,
        what: RESULT,
        next: 1,
        sent: 3,
    };
    assert_eq!(book.close(&[3], true), Err(lost));
}

#[test]
fn what_comes_again_is_seen() {
    let twice = |what, got| Wrong::Twice {
        receiver: 0,
        sender: 0,
        what,
        got,
    };
    let mut book = three(Order::Messages);
    assert_eq!(book.message(0, 0, 2), Err(twice(MESSAGE, 2)));
    book.result(0, 0, 0).unwrap();
    assert_eq!(book.result(0, 0, 0), Err(twice(RESULT, 0)));
    book.result(0, 0, 2).unwrap();
    assert_eq!(book.result(0, 0, 2), Err(twice(RESULT, 2)));
    book.result(0, 0, 1).unwrap();
    assert_eq!(book.result(0, 0, 2), Err(twice(RESULT, 2)));
}

#[test]
fn another_order_is_seen() {
    let mut strict = three(Order::Strict);
    let wrong = Wrong::OutOfOrder {
        receiver: 0,
        sender: 0,
        what: RESULT,
        got: 1,
        expected: 0,
    };
    assert_eq!(strict.result(0, 0, 1), Err(wrong));
    let mut messages = three(Order::Messages);
    let firsts = [2, 1, 0].map(|number| messages.result(0, 0, number));
    assert_eq!(firsts, [Ok(0), Ok(0), Ok(3)]);
    assert_eq!(messages.early(), 2);
}

#[test]
fn a_result_before_its_message_is_seen() {
    let early = Wrong::TooEarly {
        receiver: 0,
        sender: 0,
        got: 3,
    };
    assert_eq!(three(Order::Messages).result(0, 0, 3), Err(early));
}

#[test]
fn somebody_else_is_seen() {
    let unknown = Wrong::Unknown {
        receiver: 0,
        sender: 7,
    };
    assert_eq!(three(Order::Messages).message(0, 7, 0), Err(unknown));
}

#[test]
fn without_an_order_all_must_still_come_once() {
    let mut book = Book::new(1, 1, Order::Nothing);
    book.result(0, 0, 1).unwrap();
    for number in [2, 0, 1] {
        book.message(0, 0, number).unwrap();
    }
    book.result(0, 0, 0).unwrap();
    assert!(matches!(
        book.message(0, 0, 2),
        Err(Wrong::Twice { got: 2, .. })
    ));
    assert!(matches!(
        book.result(0, 0, 1),
        Err(Wrong::Twice { got: 1, .. })
    ));
    let close = book.close(&[3], true);
    assert!(matches!(close, Err(Wrong::Lost { next: 2, .. })));
    book.result(0, 0, 2).unwrap();
    assert_eq!(book.close(&[3], true), Ok(()));
}
