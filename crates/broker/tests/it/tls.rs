//! TLS to Redis, however it is made up: each side shows a certificate, and a stranger's is refused in words that say why.

use broker::{
    QueueArgs, Redis, RedisArgs, TlsArgs,
    testing::{Authority, TestRedis, Topology},
};
use protocol::{JobOptions, JobState, Topic};

use crate::{
    follow::Seen,
    rig::{Rig, Setup},
};

/// The whole path: a job is handed in, woken for, run, and its events are heard.
async fn a_job_runs(topology: Topology) {
    let authority = Authority::new();
    let server = TestRedis::start_tls(topology, &authority).await;
    let rig = Rig::on(server, QueueArgs::default());
    let options = JobOptions {
        topic: Some(Topic::new("lobby").unwrap()),
        ..JobOptions::default()
    };
    let seen = Seen::live(&rig, &"lobby").await;
    let worker = rig.worker("w", Setup::default(), |_, job| async move {
        Ok(job.payload.get().to_owned())
    });
    let id = rig.submit("1", options).await;
    rig.until_state(id, JobState::Completed).await;
    assert_eq!(seen.until(3).await.len(), 3);
    worker.stop().await;
}

#[tokio::test]
async fn a_job_runs_on_one_server() {
    a_job_runs(Topology::One).await;
}

#[tokio::test]
async fn a_job_runs_where_sentinels_know_the_primary() {
    a_job_runs(Topology::Sentinel).await;
}

#[tokio::test]
async fn a_job_runs_on_a_cluster() {
    let topology = Topology::Cluster {
        primaries: 3,
        replicas: 0,
        node_timeout_ms: 2_000,
    };
    a_job_runs(topology).await;
}

/// What is said of Redis where it can't be reached with these certificates.
async fn refusal(server: &TestRedis, tls: TlsArgs) -> String {
    let args = RedisArgs {
        tls,
        ..server.args("test")
    };
    let error = match Redis::new(&args) {
        Err(error) => anyhow::Error::from(error),
        Ok(redis) => redis.ping().await.unwrap_err().into(),
    };
    format!("{error:#}")
}

#[tokio::test]
async fn who_can_t_be_trusted_is_refused_in_clear_words() {
    let authority = Authority::new();
    let stranger = Authority::new();
    let server = TestRedis::start_tls(Topology::One, &authority).await;
    let right = authority.args();

    let other_ca = TlsArgs {
        redis_ca: Some(stranger.file()),
        ..right.clone()
    };
    let said = refusal(&server, other_ca).await;
    assert!(
        said.contains("invalid peer certificate: UnknownIssuer"),
        "{said}"
    );

    let nobody = TlsArgs {
        redis_cert: None,
        redis_key: None,
        ..right.clone()
    };
    let said = refusal(&server, nobody).await;
    assert!(said.contains("CertificateRequired"), "{said}");

    let other = TlsArgs {
        redis_ca: Some(authority.file()),
        ..stranger.args()
    };
    let said = refusal(&server, other).await;
    assert!(said.contains("UnknownCA"), "{said}");

    // No certificate of the system's is the test's.
    let said = refusal(&server, TlsArgs::default()).await;
    assert!(said.contains("UnknownIssuer"), "{said}");

    let folder = tempfile::tempdir().unwrap();
    let missing = TlsArgs {
        redis_ca: Some(folder.path().join("none.pem")),
        ..right.clone()
    };
    let said = refusal(&server, missing).await;
    assert!(
        said.contains("none.pem can't be read: No such file"),
        "{said}"
    );

    let empty = folder.path().join("empty.pem");
    std::fs::write(&empty, "no certificate\n").unwrap();
    for tls in [
        TlsArgs {
            redis_ca: Some(empty.clone()),
            ..right.clone()
        },
        TlsArgs {
            redis_cert: Some(empty.clone()),
            ..right.clone()
        },
        TlsArgs {
            redis_key: Some(empty.clone()),
            ..right.clone()
        },
    ] {
        let said = refusal(&server, tls).await;
        assert!(said.contains("empty.pem holds no "), "{said}");
    }
}

#[tokio::test]
async fn certificates_without_tls_are_a_mistake() {
    let authority = Authority::new();
    let args = RedisArgs {
        redis_url: "redis://127.0.0.1:1/".to_owned(),
        key_prefix: "test".to_owned(),
        redis_timeout_ms: 1_000,
        tls: authority.args(),
    };
    let error = Redis::new(&args).err().unwrap().to_string();
    assert!(error.contains("`rediss://`"), "{error}");
}
