//! `queue tenants`: what each tenant has in a queue. Changes nothing.

use broker::{TenantLimits, TenantStatus};
use clap::Args;
use comfy_table::Cell;
use protocol::QueueName;
use serde_json::json;

use crate::{
    console::Console,
    fault::Fault,
    output,
    table::{Look, align_numbers, number, table, text},
};

/// Options of `queue tenants`.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Tenants that have waiting or active jobs, or limits of their own. A limit that is not shown is
that for each tenant: see `queue limits`.

Examples:
  queue tenants chat
  queue tenants chat --json | jq '.tenants[] | select(.waiting > 100).tenant'")]
pub struct TenantsArgs {
    /// The queue
    pub queue: QueueName,
    /// How many tenants to list at most
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub limit: u32,
    /// Print JSON, for programs
    #[arg(long)]
    pub json: bool,
}

pub(crate) async fn tenants(console: &Console, args: &TenantsArgs) -> Result<(), Fault> {
    console.expect(&args.queue, false).await?;
    let limit = usize::try_from(args.limit).unwrap_or(usize::MAX);
    let tenants = console
        .inspector
        .tenants(&args.queue, limit)
        .await
        .map_err(|error| console.fault(&error))?;
    if args.json {
        return console
            .out
            .json(&json!({ "queue": args.queue, "tenants": tenants }));
    }
    if tenants.is_empty() {
        return console.out.print("No tenant has jobs or limits here.\n");
    }
    console
        .out
        .print(&listing(Look::of(&console.out), &tenants))?;
    if tenants.len() >= limit {
        output::complain(&format!(
            "{limit} are shown, there may be more: see --limit"
        ));
    }
    Ok(())
}

fn listing(look: Look, tenants: &[TenantStatus]) -> String {
    let header = [
        "TENANT",
        "WAITING",
        "ACTIVE",
        "MAX WAITING",
        "MAX ACTIVE",
        "RATE",
    ];
    let mut table = table(look, &header);
    align_numbers(&mut table);
    for status in tenants {
        let mut row = vec![
            Cell::new(&status.tenant),
            number(status.waiting, false),
            number(status.active, false),
        ];
        row.extend(own(status.limits.as_ref()).map(|cell| Cell::new(cell).set_alignment(RIGHT)));
        table.add_row(row);
    }
    text(&table)
}

const RIGHT: comfy_table::CellAlignment = comfy_table::CellAlignment::Right;

/// A tenant's own limits as they are shown; `-` where it has none.
pub(super) fn own(limits: Option<&TenantLimits>) -> [String; 3] {
    let limits = limits.copied().unwrap_or_default();
    [
        shown(limits.max_waiting, "-"),
        shown(limits.max_active, "-"),
        shown(limits.rate, "-"),
    ]
}

/// A limit, or what stands for none.
pub(super) fn shown(limit: Option<impl ToString>, none: &str) -> String {
    limit.map_or_else(|| none.to_owned(), |limit| limit.to_string())
}

#[cfg(test)]
mod tests {
    use broker::{TenantLimits, TenantStatus};

    use super::listing;
    use crate::table::Look;

    #[test]
    fn a_tenant_is_a_line() {
        let tenants = [
            TenantStatus {
                tenant: "acme".parse().unwrap(),
                waiting: 1_234,
                active: 5,
                limits: Some(TenantLimits {
                    max_active: Some(5),
                    rate: "10/s".parse().ok(),
                    ..TenantLimits::default()
                }),
            },
            TenantStatus {
                tenant: "public".parse().unwrap(),
                waiting: 0,
                active: 1,
                limits: None,
            },
        ];
        let expected = "\
TENANT  WAITING  ACTIVE  MAX WAITING  MAX ACTIVE  RATE
acme       1234       5            -           5  10/s
public        0       1            -           -     -
";
        assert_eq!(listing(Look::default(), &tenants), expected);
    }
}
