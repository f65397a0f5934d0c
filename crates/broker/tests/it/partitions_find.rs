//! Splitting a queue, and finding its jobs in whichever partition they are.

use broker::{
    Control, Done, MAX_PARTITIONS, PartitionError, Producer, ProducerConfig, QueueSettings,
    TenantLimits, partition_name,
};
use protocol::{JobId, JobOptions, JobState, Priority, QueueName, Tenant};

use crate::rig::{Rig, job};

pub fn control(rig: &Rig) -> Control {
    Control::new(rig.redis.clone(), rig.args.clone())
}

/// Hands a job in that goes to a partition by its id.
pub async fn put(rig: &Rig, index: u16) -> JobId {
    let id = rig.id_in(index).await;
    let job = job("1", JobOptions::default());
    rig.producer.submit(id, job).await.unwrap();
    id
}

#[tokio::test]
async fn jobs_are_found_in_every_partition() {
    let rig = Rig::new().await;
    let control = control(&rig);
    let placement = control.partition(&rig.queue, 4).await.unwrap();
    assert_eq!((placement.count(), placement.held()), (4, 4));
    let mut ids = Vec::new();
    for n in 0..12 {
        ids.push(put(&rig, n % 4).await);
    }
    for (n, id) in ids.iter().enumerate() {
        assert_eq!(rig.get(*id).await.queue, rig.queue, "the job {n}");
    }
    // A partition is a queue of its own to those who look at it.
    let second = partition_name(&rig.queue, 2).unwrap();
    let found = rig.inspector.get(&second, ids[2]).await.unwrap().unwrap();
    assert_eq!(found.queue, second);
    assert!(rig.inspector.get(&second, ids[1]).await.unwrap().is_none());

    // Answers come in the order of the ids.
    let missing = Producer::new_id();
    let some = [ids[3], missing, ids[0]];
    let done = control.cancel(&rig.queue, &some, None).await.unwrap();
    assert_eq!(done, [Done::Yes, Done::NotFound, Done::Yes]);
    let some = [ids[3], missing, ids[1]];
    let done = control.delete(&rig.queue, &some).await.unwrap();
    assert_eq!(done, [Done::Yes, Done::NotFound, Done::Yes]);
    let all = control.retry(&rig.queue, &ids).await.unwrap();
    assert_eq!(all[0], Done::Yes);
    assert_eq!(all[1], Done::NotFound);
    assert_eq!(all[2], Done::Conflict(JobState::Waiting));
    let done = control
        .set_priority(&rig.queue, &ids[6..7], Priority::High)
        .await;
    assert_eq!(done.unwrap(), [Done::Yes]);
    assert_eq!(rig.get(ids[6]).await.priority, Priority::High);
}

#[tokio::test]
async fn a_split_by_another_process_is_noticed_where_a_job_is_missing() {
    let rig = Rig::new().await;
    assert!(
        rig.inspector
            .get(&rig.queue, Producer::new_id())
            .await
            .unwrap()
            .is_none()
    );
    let other = Control::new(rig.server.connect("test"), rig.args.clone());
    other.partition(&rig.queue, 3).await.unwrap();
    let id = put(&rig, 2).await;
    assert_eq!(rig.get(id).await.id, id);
}

#[tokio::test]
async fn what_is_set_holds_in_all_partitions() {
    let rig = Rig::new().await;
    let control = control(&rig);
    let tenant = Tenant::new("alice").unwrap();
    let settings = QueueSettings {
        max_active: Some(7),
        ..QueueSettings::default()
    };
    let limits = TenantLimits {
        max_active: Some(3),
        ..TenantLimits::default()
    };
    control.set(&rig.queue, &settings).await.unwrap();
    control
        .set_tenant(&rig.queue, &tenant, Some(&limits))
        .await
        .unwrap();
    control.partition(&rig.queue, 2).await.unwrap();
    let second = partition_name(&rig.queue, 1).unwrap();
    // A copy from before, with all that the scripts go by.
    assert_eq!(rig.inspector.settings(&second).await.unwrap(), settings);
    let own = rig.inspector.tenant_limits(&second, &tenant).await;
    assert_eq!(own.unwrap(), Some(limits));
    let fields = |queue: &str| format!("test{{{queue}}}:count");
    for queue in ["chat", "chat.1"] {
        let words = ["HGET", &fields(queue), "settings"];
        let known: String = rig.server.command(&words).await;
        assert_eq!(known, "2", "{queue}");
    }
    let names = rig.inspector.queues().await.unwrap();
    assert_eq!(names, [rig.queue.clone(), second.clone()]);
    // And what is set from now on.
    control.pause(&rig.queue, true).await.unwrap();
    control.set_tenant(&rig.queue, &tenant, None).await.unwrap();
    for queue in [&rig.queue, &second] {
        assert!(rig.inspector.settings(queue).await.unwrap().paused);
        let own = rig.inspector.tenant_limits(queue, &tenant).await.unwrap();
        assert_eq!(own, None, "{queue}");
    }
    // One partition alone can be set too, and is not split itself.
    control.pause(&second, false).await.unwrap();
    assert!(!rig.inspector.settings(&second).await.unwrap().paused);
    assert!(rig.inspector.settings(&rig.queue).await.unwrap().paused);
    assert_eq!(rig.inspector.queues().await.unwrap().len(), 2);
}

#[tokio::test]
async fn workers_are_told_of_new_partitions() {
    let rig = Rig::new().await;
    for (worker, deadline) in [("alive", "9e15"), ("dead", "1")] {
        let words = ["ZADD", "test{chat}:workers", deadline, worker];
        let _: i64 = rig.server.command(&words).await;
    }
    control(&rig).partition(&rig.queue, 2).await.unwrap();
    for (worker, told) in [("alive", vec!["partitions".to_owned()]), ("dead", vec![])] {
        let inbox = format!("test{{chat}}:inbox:{worker}");
        let words = ["LRANGE", &inbox, "0", "-1"];
        assert_eq!(rig.server.command::<Vec<String>>(&words).await, told);
    }
}

#[tokio::test]
async fn what_can_not_be_split_is_refused() {
    let rig = Rig::new().await;
    let control = control(&rig);
    for count in [0, MAX_PARTITIONS + 1] {
        let refused = control.partition(&rig.queue, count).await;
        assert!(matches!(refused, Err(PartitionError::Count)), "{count}");
    }
    let long = QueueName::new("x".repeat(protocol::limits::MAX_NAME_BYTES)).unwrap();
    let refused = control.partition(&long, 2).await;
    assert!(matches!(refused, Err(PartitionError::Name(_))));
    // A queue that only has settings is in nobody's way.
    let [second, third] = [1, 2].map(|index| partition_name(&rig.queue, index).unwrap());
    control.pause(&second, true).await.unwrap();
    let other = Producer::spawn(
        rig.redis.clone(),
        third.clone(),
        rig.args.clone(),
        ProducerConfig::default(),
        &rig.tracker,
    );
    let other = other.submit(Producer::new_id(), job("1", JobOptions::default()));
    other.await.unwrap();
    let refused = control.partition(&rig.queue, 3).await;
    let Err(PartitionError::Taken(name)) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(name, third);
    control.partition(&rig.queue, 2).await.unwrap();
    assert!(!rig.inspector.settings(&second).await.unwrap().paused);
    let refused = control.partition(&second, 2).await;
    assert!(matches!(refused, Err(PartitionError::Part(whole)) if whole == "chat"));
    // The same again is no change.
    let once = control.partition(&rig.queue, 2).await.unwrap();
    let again = control.partition(&rig.queue, 2).await.unwrap();
    assert_eq!(once.generation(), again.generation());
}

#[tokio::test]
async fn a_queue_is_split_only_so_often() {
    let rig = Rig::new().await;
    let control = control(&rig);
    rig.submit("1", JobOptions::default()).await;
    for count in 2..=8 {
        control.partition(&rig.queue, count).await.unwrap();
    }
    let refused = control.partition(&rig.queue, 9).await;
    assert!(matches!(refused, Err(PartitionError::TooOften)));
    let fewer = control.partition(&rig.queue, 1).await.unwrap();
    assert_eq!((fewer.count(), fewer.held()), (1, 8));
}
