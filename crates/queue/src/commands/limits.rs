//! `queue limits`: shows and sets what a queue and its tenants may have. Changes only what is named.

use broker::{QueueArgs, QueueSettings, Rate, TenantLimits, TenantStatus};
use clap::Args;
use comfy_table::Cell;
use protocol::{QueueName, Tenant};
use serde_json::{Value, json};

use super::tenants::{own, shown};
use crate::{
    console::Console,
    fault::Fault,
    limit::Limit,
    table::{Look, table, text},
};

/// How many tenants with limits of their own are shown.
const TENANTS: usize = 1_000;

/// Options of `queue limits`.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Without options it shows what is set. `none` takes a limit away: for --max-waiting and
--max-waiting-bytes what the processes are started with holds again, for a single tenant what
holds for each.

Examples:
  queue limits chat
  queue limits chat --max-active 50 --rate 100/s
  queue limits chat --tenant-max-active 5 --tenant-rate 20/s   # for each tenant
  queue limits chat --tenant acme --rate 200/m                 # for one
  queue limits chat --tenant acme --clear                      # as all others again
  queue limits chat --rate none                                # takes one away
  queue limits chat --clear                                    # all but those of single tenants")]
pub struct LimitsArgs {
    /// The queue
    pub queue: QueueName,
    /// How many jobs may wait or be delayed before more are refused
    #[arg(long, value_name = "N|none")]
    pub max_waiting: Option<Limit<u64>>,
    /// How many bytes of payload may wait or be delayed before more are refused
    #[arg(long, value_name = "N|none", conflicts_with = "tenant")]
    pub max_waiting_bytes: Option<Limit<u64>>,
    /// How many jobs may be active over all workers
    #[arg(long, value_name = "N|none")]
    pub max_active: Option<Limit<u64>>,
    /// How many attempts may begin in a time, as 100/s, 20/500ms, 30/m or 5/h
    #[arg(long, value_name = "RATE|none")]
    pub rate: Option<Limit<Rate>>,
    /// How many jobs of each tenant may wait or be delayed
    #[arg(long, value_name = "N|none", conflicts_with = "tenant")]
    pub tenant_max_waiting: Option<Limit<u64>>,
    /// How many jobs of each tenant may be active
    #[arg(long, value_name = "N|none", conflicts_with = "tenant")]
    pub tenant_max_active: Option<Limit<u64>>,
    /// How many attempts of each tenant may begin in a time
    #[arg(long, value_name = "RATE|none", conflicts_with = "tenant")]
    pub tenant_rate: Option<Limit<Rate>>,
    /// Show or set --max-waiting, --max-active and --rate of this tenant alone
    #[arg(long)]
    pub tenant: Option<Tenant>,
    /// Take all away first
    #[arg(long)]
    pub clear: bool,
    /// Also if the queue never had a job
    #[arg(long)]
    pub create: bool,
    /// Print JSON, for programs
    #[arg(long)]
    pub json: bool,
}

pub(crate) async fn limits(console: &Console, args: &LimitsArgs) -> Result<(), Fault> {
    console.expect(&args.queue, args.create).await?;
    match &args.tenant {
        None => of_queue(console, args).await,
        Some(tenant) => of_tenant(console, args, tenant).await,
    }
}

async fn of_queue(console: &Console, args: &LimitsArgs) -> Result<(), Fault> {
    let queue = &args.queue;
    let fault = |error| console.fault(&error);
    let before = console.inspector.settings(queue).await.map_err(fault)?;
    let after = changed(args, before);
    if after != before || args.create {
        console
            .control(QueueArgs::default())
            .change(queue, &before, &after)
            .await
            .map_err(fault)?;
    }
    let mut tenants = console
        .inspector
        .tenants(queue, TENANTS)
        .await
        .map_err(fault)?;
    tenants.retain(|status| status.limits.is_some());
    if args.json {
        return console.out.json(&as_json(queue, &after, &tenants));
    }
    let look = Look::of(&console.out);
    console.out.print(&portrait(look, queue, &after, &tenants))
}

fn changed(args: &LimitsArgs, before: QueueSettings) -> QueueSettings {
    let mut after = before;
    if args.clear {
        after = QueueSettings {
            paused: before.paused,
            ..QueueSettings::default()
        };
    }
    put(args.max_waiting, &mut after.max_waiting);
    put(args.max_waiting_bytes, &mut after.max_bytes);
    put(args.max_active, &mut after.max_active);
    put(args.rate, &mut after.rate);
    put(args.tenant_max_waiting, &mut after.tenants.max_waiting);
    put(args.tenant_max_active, &mut after.tenants.max_active);
    put(args.tenant_rate, &mut after.tenants.rate);
    after
}

fn put<T: Copy>(limit: Option<Limit<T>>, place: &mut Option<T>) {
    if let Some(limit) = limit {
        limit.put(place);
    }
}

async fn of_tenant(console: &Console, args: &LimitsArgs, tenant: &Tenant) -> Result<(), Fault> {
    let queue = &args.queue;
    let fault = |error| console.fault(&error);
    let before = console
        .inspector
        .tenant_limits(queue, tenant)
        .await
        .map_err(fault)?;
    let mut after = before.unwrap_or_default();
    if args.clear {
        after = TenantLimits::default();
    }
    put(args.max_waiting, &mut after.max_waiting);
    put(args.max_active, &mut after.max_active);
    put(args.rate, &mut after.rate);
    let after = Some(after).filter(|limits| *limits != TenantLimits::default());
    if after != before {
        console
            .control(QueueArgs::default())
            .set_tenant(queue, tenant, after.as_ref())
            .await
            .map_err(fault)?;
    }
    if args.json {
        let limits = after.map(|limits| bounds(&limits));
        return console
            .out
            .json(&json!({ "queue": queue, "tenant": tenant, "limits": limits }));
    }
    if after.is_none() {
        return console
            .out
            .print("No limits of its own: those for each tenant hold.\n");
    }
    let look = Look::of(&console.out);
    console
        .out
        .print(&of_tenants(look, [(tenant, after.as_ref())]))
}

fn bounds(limits: &TenantLimits) -> Value {
    json!({ "max_waiting": limits.max_waiting, "max_active": limits.max_active, "rate": limits.rate })
}

/// Every name is always there, so that programs need not ask.
fn as_json(queue: &QueueName, settings: &QueueSettings, tenants: &[TenantStatus]) -> Value {
    let tenants: Vec<_> = tenants
        .iter()
        .map(|status| {
            let limits = status.limits.as_ref().map(bounds);
            json!({ "tenant": status.tenant, "limits": limits })
        })
        .collect();
    json!({
        "queue": queue,
        "paused": settings.paused,
        "limits": {
            "max_waiting": settings.max_waiting,
            "max_waiting_bytes": settings.max_bytes,
            "max_active": settings.max_active,
            "rate": settings.rate,
        },
        "each_tenant": bounds(&settings.tenants),
        "tenants": tenants,
    })
}

fn portrait(
    look: Look,
    queue: &QueueName,
    settings: &QueueSettings,
    tenants: &[TenantStatus],
) -> String {
    let name = queue.as_str();
    let mut table = table(look, &["LIMIT", name, "EACH TENANT"]);
    let each = &settings.tenants;
    let rows = [
        (
            "max waiting",
            shown(settings.max_waiting, "default"),
            shown(each.max_waiting, "none"),
        ),
        (
            "max waiting bytes",
            shown(settings.max_bytes, "default"),
            String::new(),
        ),
        (
            "max active",
            shown(settings.max_active, "none"),
            shown(each.max_active, "none"),
        ),
        (
            "rate",
            shown(settings.rate, "none"),
            shown(each.rate, "none"),
        ),
    ];
    for (name, queue, tenant) in rows {
        table.add_row([name.to_owned(), queue, tenant]);
    }
    if settings.paused {
        table.add_row(["paused", "yes", ""]);
    }
    let mut shown = text(&table);
    if !tenants.is_empty() {
        shown.push('\n');
        let tenants = tenants
            .iter()
            .map(|status| (&status.tenant, status.limits.as_ref()));
        shown.push_str(&of_tenants(look, tenants));
    }
    shown
}

fn of_tenants<'a>(
    look: Look,
    tenants: impl IntoIterator<Item = (&'a Tenant, Option<&'a TenantLimits>)>,
) -> String {
    let mut table = table(look, &["TENANT", "MAX WAITING", "MAX ACTIVE", "RATE"]);
    for (tenant, limits) in tenants {
        let mut row = vec![Cell::new(tenant)];
        row.extend(own(limits).map(Cell::new));
        table.add_row(row);
    }
    text(&table)
}

#[cfg(test)]
mod tests {
    use broker::{QueueSettings, TenantLimits, TenantStatus};

    use super::portrait;
    use crate::table::Look;

    #[test]
    fn limits_of_the_queue_and_of_tenants() {
        let settings = QueueSettings {
            paused: true,
            max_active: Some(50),
            rate: "100/s".parse().ok(),
            tenants: TenantLimits {
                max_waiting: Some(7),
                ..TenantLimits::default()
            },
            ..QueueSettings::default()
        };
        let acme = TenantStatus {
            tenant: "acme".parse().unwrap(),
            waiting: 1,
            active: 0,
            limits: Some(settings.tenants),
        };
        let expected = "\
LIMIT              chat     EACH TENANT
max waiting        default  7
max waiting bytes  default
max active         50       none
rate               100/s    none
paused             yes

TENANT  MAX WAITING  MAX ACTIVE  RATE
acme    7            -           -
";
        let queue = "chat".parse().unwrap();
        assert_eq!(
            portrait(Look::default(), &queue, &settings, &[acme]),
            expected
        );
    }
}
