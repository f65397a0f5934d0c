//! What `cargo dev` will start: names, addresses and flags, decided before anything runs.

use std::net::SocketAddr;

use crate::child::Role;
use crate::ports::Ports;

/// How far apart the ports of two servers are, so that each leaves room for what belongs to it.
const SERVER_STEP: u16 = 10;

/// One process to start.
#[derive(Debug)]
pub(crate) struct Process {
    /// The name before its log lines.
    pub(crate) name: String,
    /// What it is.
    pub(crate) role: Role,
    /// The binary's file name.
    pub(crate) binary: &'static str,
    /// Its flags.
    pub(crate) arguments: Vec<String>,
    /// Where `/readyz` and `/metrics` are.
    pub(crate) address: SocketAddr,
}

/// The processes in the order of starting: receivers before senders.
pub(crate) fn processes(
    ports: &mut Ports,
    port: u16,
    servers: u16,
    workers: u16,
    extra: &[String],
) -> anyhow::Result<Vec<Process>> {
    let address = ports.wanted(port.saturating_add(1), "queue")?;
    let mut processes = vec![Process {
        name: "queue".to_owned(),
        role: Role::Queue,
        binary: "queue",
        arguments: flag("--listen", address),
        address,
    }];
    for number in 1..=workers {
        // A port that is known, so that its readiness can be awaited and its metrics be shown.
        let address = ports.any()?;
        processes.push(Process {
            name: format!("worker-{number}"),
            role: Role::Worker,
            binary: "worker",
            arguments: flag("--health-listen", address),
            address,
        });
    }
    for number in 1..=servers {
        let name = format!("server-{number}");
        let wanted = port.saturating_add((number - 1).saturating_mul(SERVER_STEP));
        let address = ports.wanted(wanted, &name)?;
        let mut arguments = flag("--listen", address);
        arguments.extend_from_slice(extra);
        processes.push(Process {
            name,
            role: Role::Server,
            binary: "server",
            arguments,
            address,
        });
    }
    Ok(processes)
}

/// What the person sees once everything is ready.
pub(crate) fn summary(processes: &[Process], redis_url: Option<&str>) -> String {
    let mut lines = vec![String::new(), "Ready.".to_owned(), String::new()];
    let mut row = |title: &str, text: String| lines.push(format!("  {title:<10} {text}"));
    let servers = || {
        processes
            .iter()
            .filter(|process| process.role == Role::Server)
    };
    for (index, server) in servers().enumerate() {
        let title = if index == 0 { "Open" } else { "" };
        row(title, format!("http://{}/", server.address));
    }
    for (index, server) in servers().enumerate() {
        let title = if index == 0 { "Or try" } else { "" };
        row(title, format!("websocat ws://{}", server.address));
    }
    let manager = processes.iter().find(|process| process.role == Role::Queue);
    if let Some(manager) = manager {
        row("Dashboard", format!("http://{}/", manager.address));
    }
    row(
        "Redis",
        redis_url
            .unwrap_or("the one given with --redis-url")
            .to_owned(),
    );
    for (index, process) in processes.iter().enumerate() {
        let title = if index == 0 { "Metrics" } else { "" };
        row(
            title,
            format!("http://{}/metrics  ({})", process.address, process.name),
        );
    }
    lines.extend([
        String::new(),
        "Ctrl-C stops everything.".to_owned(),
        String::new(),
    ]);
    lines.join("\n")
}

fn flag(name: &str, address: SocketAddr) -> Vec<String> {
    vec![name.to_owned(), address.to_string()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_process_has_its_own_address_and_receivers_start_first() {
        let mut ports = Ports::default();
        let extra = ["--insecure".to_owned()];
        let plan = processes(&mut ports, 0, 2, 3, &extra).unwrap();
        let names: Vec<_> = plan.iter().map(|process| process.name.as_str()).collect();
        assert_eq!(
            names,
            [
                "queue", "worker-1", "worker-2", "worker-3", "server-1", "server-2"
            ]
        );
        let addresses: std::collections::HashSet<_> =
            plan.iter().map(|process| process.address).collect();
        assert_eq!(addresses.len(), plan.len());
        assert_eq!(plan[5].arguments.last().unwrap(), "--insecure");
    }

    #[test]
    fn the_summary_shows_a_line_to_try_for_each_server() {
        let plan = processes(&mut Ports::default(), 0, 2, 1, &[]).unwrap();
        let text = summary(&plan, Some("redis://127.0.0.1:1/"));
        for server in &plan[2..] {
            assert!(
                text.contains(&format!("websocat ws://{}", server.address)),
                "{text}"
            );
        }
        assert!(
            text.contains(&format!("Dashboard  http://{}/", plan[0].address)),
            "{text}"
        );
        assert!(text.contains("Ctrl-C"), "{text}");
    }
}
