//! Random sequences of everything that may happen to a queue, on a real Redis, compared after every step with a simple
//! model in memory.
//!
//! `MODEL_CASES` and `MODEL_STEPS` make a longer run of it; `PROPTEST_RNG_SEED` repeats one. Nothing sleeps: leases run
//! out and delays are over because the test says so (`op.rs`).

mod book;
mod channels;
mod check;
mod desk;
mod fate;
mod hand;
mod laws;
mod op;
mod parcels;
mod raw;
mod real;
mod scores;
mod shift;
mod stored;
mod tally;
mod world;

use broker::testing::{TestRedis, Topology};
use proptest::{
    collection::vec,
    prelude::{Just, Strategy},
    prop_oneof,
    test_runner::{Config, RngSeed, TestCaseError, TestError, TestRunner},
};
use protocol::JobState;

use self::{
    op::{End, Forget, Op, Pick, Try},
    world::{Fits, World},
};

fn from_env(name: &str, default: u32) -> u32 {
    std::env::var(name).map_or(default, |text| text.parse().expect("a number"))
}

fn run(
    server: TestRedis,
    runtime: &tokio::runtime::Runtime,
    cases: u32,
    op: impl Strategy<Value = Op>,
) {
    let default = Config::default();
    let rng_seed = match default.rng_seed {
        RngSeed::Random => RngSeed::Fixed(rand::random()),
        fixed @ RngSeed::Fixed(_) => fixed,
    };
    let config = Config {
        cases,
        rng_seed,
        failure_persistence: None,
        max_shrink_iters: 2_000,
        ..default
    };
    let steps = from_env("MODEL_STEPS", 50) as usize;
    let kept = prop_oneof![Just(1_000), Just(3), Just(20)];
    let server = std::cell::RefCell::new(server);
    let result = TestRunner::new(config).run(&(kept, vec(op, 1..steps)), |(kept, ops)| {
        let mut server = server.borrow_mut();
        let fits = runtime.block_on(async {
            let mut world = World::new(&mut server, kept).await;
            live(&mut world, &ops).await
        });
        fits.map_err(TestCaseError::fail)
    });
    match result {
        Ok(()) => {}
        Err(TestError::Fail(why, (kept, ops))) => {
            let ops: Vec<_> = ops.iter().map(|op| format!("    {op:?},")).collect();
            panic!(
                "{why}\n  with {rng_seed:?}, keeping {kept}, after\n{}",
                ops.join("\n")
            );
        }
        Err(error) => panic!("{error}"),
    }
}

async fn live(world: &mut World<'_>, ops: &[Op]) -> Fits {
    for (n, op) in ops.iter().enumerate() {
        world
            .step(op)
            .await
            .map_err(|error| format!("step {n}, {op:?}: {error}"))?;
    }
    end(world)
        .await
        .map_err(|error| format!("at the end: {error}"))
}

/// Everything comes to an end and is forgotten.
async fn end(world: &mut World<'_>) -> Fits {
    let own = op::Limits::default();
    world
        .step(&Op::Set {
            own,
            max_bytes: None,
            tenants: own,
        })
        .await?;
    for tenant in 0..op::TENANTS.len() {
        world.step(&Op::SetTenant(tenant, None)).await?;
    }
    world.step(&Op::Pause(false)).await?;
    world.step(&Op::Join(0, Vec::new())).await?;
    while world.book.jobs.values().any(|job| !job.state.is_terminal()) {
        world.step(&Op::AllLeasesOver).await?;
        world.step(&Op::AllDue).await?;
        world.step(&Op::LookAtParked).await?;
        world.step(&Op::Round(0, Vec::new(), 100, false)).await?;
        let all = 0..world.book.in_state(JobState::Active).len();
        let complete = |n| Try {
            pick: Pick::Held(n),
            off: 0,
            end: End::Complete,
        };
        world
            .step(&Op::Round(0, all.map(complete).collect(), 0, false))
            .await?;
    }
    let forget = Forget {
        completed: true,
        failed: true,
    };
    world.step(&Op::Maintain(forget)).await?;
    world.step(&Op::Maintain(forget)).await?;
    // What is left beside the documented keys the last step would have found.
    let dump = world.dump().await;
    let counted = dump
        .get("test{chat}:count")
        .and_then(|count| count.field("waiting"));
    if !world.book.jobs.is_empty() || counted.is_some_and(|n| n != "0") {
        return Err(format!("something is left: {dump:?}"));
    }
    Ok(())
}

/// All that is there is read in one step, and heard over one connection: a single Redis, whatever others have.
async fn one(append_only: &str) -> TestRedis {
    let options = ["--appendonly", append_only, "--appendfsync", "always"];
    TestRedis::start_as(Topology::One, &options).await
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

#[test]
fn a_queue_does_as_its_model() {
    let runtime = runtime();
    let server = runtime.block_on(one("no"));
    run(server, &runtime, from_env("MODEL_CASES", 48), op::op());
}

#[test]
fn a_queue_whose_workers_are_idle_does_as_its_model() {
    let runtime = runtime();
    let server = runtime.block_on(one("no"));
    run(
        server,
        &runtime,
        from_env("MODEL_CASES", 48),
        op::op_of_idle(),
    );
}

#[test]
fn a_queue_of_parcels_does_as_its_model() {
    let runtime = runtime();
    let server = runtime.block_on(one("no"));
    run(
        server,
        &runtime,
        from_env("MODEL_CASES", 48),
        op::op_of_parcels(),
    );
}

#[test]
fn a_queue_whose_redis_crashes_does_as_its_model() {
    let runtime = runtime();
    let server = runtime.block_on(one("yes"));
    run(
        server,
        &runtime,
        from_env("MODEL_CASES", 48) / 16,
        op::op_or_crash(),
    );
}
