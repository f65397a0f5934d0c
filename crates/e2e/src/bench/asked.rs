//! One run: every question, side after side, turn after turn; then the curves.

use std::{collections::BTreeMap, time::Instant};

use anyhow::{Context as _, ensure};

use super::{
    Plan, curves, machine,
    page::{figure::figure, verdict::Summary},
    party::{Answer, Party, Refusal},
    peers::{Peers, Queue, Relay, Wanted},
    probe::{Probe, names},
    report::{Report, Row, Setting, Side},
};

/// What is told while it goes on, a line at a time.
pub(super) type Say<'a> = &'a dyn Fn(&str);

/// Measures what the plan wants. Fails where this project does not do what it must; a peer that does not is left out.
pub async fn run(plan: &Plan, say: Say<'_>) -> anyhow::Result<Report> {
    for only in &plan.only {
        let alone = Plan {
            only: vec![only.clone()],
            ..plan.clone()
        };
        ensure!(
            names().iter().any(|name| alone.wants(name)),
            "there is no {only:?}; there are: {}",
            names().join(", ")
        );
    }
    // Before anything is started: what is started takes it over.
    crate::load::most_connections()?;
    let probes: Vec<Probe> = Probe::ALL
        .into_iter()
        .filter(|probe| probe.questions().iter().any(|row| plan.wants(row.name)))
        .collect();
    let parties: Vec<Party> = probes.iter().flat_map(|probe| probe.parties()).collect();
    let asked = parties.iter().any(|party| *party != Party::Ours);
    let peers = (plan.peers && asked).then(|| {
        say("installing the peers");
        // What takes long to build is not built for a first impression; what was built before is measured.
        let wanted = |party| !plan.quick && parties.contains(&party);
        let wanted = Wanted {
            bullmq_rust: wanted(Party::Queue(Queue::BullmqRust)),
            sockudo: plan.sockudo && wanted(Party::Relay(Relay::Sockudo)),
        };
        Peers::install(&Peers::folder(), wanted)
    });
    let date = machine::now()?;
    let start = Instant::now();
    let mut rows = Vec::new();
    for probe in probes {
        rows.extend(ask(probe, plan, peers.as_ref(), say).await?);
    }
    let curves = curves::draw(plan, say).await?;
    let mut versions = machine::versions().await;
    versions.extend(peers.iter().flat_map(Peers::versions));
    Ok(Report {
        setting: Setting {
            date,
            quick: plan.quick,
            seconds: start.elapsed().as_secs_f64(),
            machine: machine::describe(),
            versions,
        },
        rows,
        curves,
    })
}

/// What one side has answered so far.
#[derive(Default)]
struct Record {
    answers: Vec<Answer>,
    refusal: Option<String>,
}

async fn ask(
    probe: Probe,
    plan: &Plan,
    peers: Option<&Peers>,
    say: Say<'_>,
) -> anyhow::Result<Vec<Row>> {
    let questions = probe.questions();
    let mut parties = probe.parties();
    if peers.is_none() {
        parties.retain(|party| *party == Party::Ours);
    }
    let mut records: Vec<Record> = parties.iter().map(|_| Record::default()).collect();
    let turns = probe.turns(plan);
    for turn in 1..=turns {
        for (party, record) in parties.iter().zip(&mut records) {
            if record.refusal.is_some() {
                continue;
            }
            let start = Instant::now();
            let answer = party.ask(probe, plan, peers).await;
            let told = match answer {
                Ok(answer) => {
                    let told = questions
                        .iter()
                        .zip(&answer.figures)
                        .map(|(question, value)| format!("{} {}", figure(*value), question.unit));
                    let told = told.collect::<Vec<_>>().join(", ");
                    record.answers.push(answer);
                    told
                }
                Err(Refusal::Wrong(error)) if *party == Party::Ours => {
                    return Err(error).with_context(|| format!("{}: ours", questions[0].name));
                }
                Err(refusal) => {
                    let why = refusal.to_string();
                    record.answers.clear();
                    record.refusal = Some(why.clone());
                    why
                }
            };
            say(&format!(
                "{} {turn}/{turns} {}: {told} ({:.1} s)",
                questions[0].name,
                party.name(),
                start.elapsed().as_secs_f64()
            ));
        }
    }
    let rows = questions.into_iter().enumerate().map(|(index, question)| {
        let sides = parties.iter().zip(&records).map(|(party, record)| Side {
            name: party.name().to_owned(),
            samples: record
                .answers
                .iter()
                .map(|answer| answer.figures[index])
                .collect(),
            note: record
                .refusal
                .clone()
                .or_else(|| record.costs().filter(|_| index == 0)),
        });
        Row {
            name: question.name.to_owned(),
            what: question.what.to_owned(),
            unit: question.unit.to_owned(),
            better: question.better,
            target: question.target,
            sides: sides.collect(),
        }
    });
    Ok(rows.filter(|row| plan.wants(&row.name)).collect())
}

impl Record {
    /// What else was measured, as the median of all turns.
    fn costs(&self) -> Option<String> {
        let mut costs: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
        for (name, cost) in self.answers.iter().flat_map(|answer| &answer.costs) {
            costs.entry(name).or_default().push(*cost);
        }
        let of = self.answers.first()?.costs_of?;
        let told: Vec<String> = costs
            .into_iter()
            .filter_map(|(name, costs)| Some(format!("{name} {}", figure(median(costs)?))))
            .collect();
        (!told.is_empty()).then(|| format!("{of}: {}", told.join(", ")))
    }
}

fn median(samples: Vec<f64>) -> Option<f64> {
    let side = Side {
        name: String::new(),
        samples,
        note: None,
    };
    Summary::of(&side).map(|summary| summary.median)
}
