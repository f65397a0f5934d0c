//! What is said to a command line that can't be done, with exit codes, as it was reviewed.

use protocol::JobOptions;

use crate::{
    rig::{Answer, Rig, name},
    scene::words,
    snapshot::{check, session},
};

#[tokio::test]
async fn refusals_say_what_would_do() {
    let rig = Rig::start("refused").await;
    rig.submit("chat", "done", "1", JobOptions::default()).await;
    let unknown = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
    let lines = [
        "stat".to_owned(),
        "jobs --state done".to_owned(),
        "jobs --queue video".to_owned(),
        "job x".to_owned(),
        format!("job {unknown}"),
        "retry".to_owned(),
        "retry --queue chat".to_owned(),
        format!("retry {unknown}"),
        format!("retry {unknown} --all"),
        "cancel --queue chat --all".to_owned(),
        "delete --queue chat --state active --all".to_owned(),
        "enqueue done 1 --delay 5".to_owned(),
        "limits chat --rate 5".to_owned(),
        "top".to_owned(),
        "watch --interval 1ms".to_owned(),
        "--interval-ms 50 watch".to_owned(),
        "--redis-url http://x stats".to_owned(),
        "--redis-url redis://:secret@127.0.0.1:1 stats".to_owned(),
    ];
    let run = |line: &String| {
        let mut command = rig.command(&words(line));
        command.env("COLUMNS", "100");
        session(line, &Answer::of(command.output().unwrap()))
    };
    check("refusals", &lines.iter().map(run).collect::<String>());
    assert!(rig.inspector.queues().await.unwrap() == [name("chat")]);
}
