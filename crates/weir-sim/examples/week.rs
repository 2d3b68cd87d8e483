//! `cargo xtask simulate`: a week of services in virtual time, and how often one of them met an incident that was none.

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Parser, ValueEnum};
use serde_json::{Value, json};
use weir_detect::watch::Label;
use weir_sim::week::{BAR, Hours, Judged, Level, Life, Minutes, Node, Plan, Role, Service, Told, WINDOWS_PER_DAY};
use weir_sim::week::{WINDOWS_PER_MINUTE, detection};

/// Simulate days of services' traffic, which no attack is part of
#[derive(Parser)]
struct Args {
    /// Days of the services' lives
    #[arg(long, default_value_t = 7)]
    days: u64,
    /// Services
    #[arg(long, default_value_t = 20)]
    services: u64,
    /// Seed of everything: the same seed gives the same week
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Day and night only: no crowds, restarts, lost networks, releases
    #[arg(long)]
    uneventful: bool,
    /// Instead: one site that lives through the 87 days of the 1998 World Cup
    #[arg(long)]
    world_cup: bool,
    /// How to print
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    output: Output,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    Table,
    Json,
}

fn main() -> io::Result<ExitCode> {
    let args = Args::parse();
    let mut out = io::stdout().lock();
    let good = if args.world_cup { world_cup(&args, &mut out)? } else { week(&args, &mut out)? };
    Ok(ExitCode::from(u8::from(!good)))
}

fn week(args: &Args, out: &mut impl Write) -> io::Result<bool> {
    let plan = Plan { hours: 24 * args.days, services: args.services, eventful: !args.uneventful, seed: args.seed };
    let judged = plan.judge();
    if args.output == Output::Json {
        writeln!(out, "{}", as_json(&judged))?;
        return Ok(judged.met());
    }
    for told in &judged.told {
        writeln!(out, "day {:.4} {} {}: {}", told.day, told.service.0, told.service.1, line(told))?;
    }
    let per = |n: u64| judged.per_service_day(n);
    writeln!(
        out,
        "{} services, {} days: per service and day {:.3} surges, {:.4} attacks, {:.4} enforced (at most {BAR}); of {} customers' \
         packets {} were dropped, {} held back as of no connection",
        args.services,
        args.days,
        per(judged.surges),
        per(judged.attacks),
        per(judged.enforced),
        judged.customers.packets,
        judged.customers.dropped,
        judged.customers.held,
    )?;
    Ok(judged.met())
}

fn line(told: &Told) -> String {
    let rules =
        if told.enforced { format!("; rules {:?}, strays {:?}", told.rules, told.strays) } else { String::new() };
    format!("{} {} ({}){rules}", told.label, told.vector, told.evidence.join("; "))
}

fn as_json(judged: &Judged) -> Value {
    let per = |n: u64| judged.per_service_day(n);
    let told = judged.told.iter().map(|told| {
        json!({
            "service": told.service.1, "role": told.service.0, "day": told.day, "label": told.label, "vector": told.vector,
            "enforced": told.enforced, "evidence": told.evidence, "rules": told.rules, "strays_packets_per_s": told.strays,
        })
    });
    json!({
        "days": judged.hours as f64 / 24.0, "services": judged.services, "seed": judged.seed,
        "surges": judged.surges, "attacks": judged.attacks, "enforced": judged.enforced,
        "surges_per_service_day": per(judged.surges), "attacks_per_service_day": per(judged.attacks),
        "enforced_per_service_day": per(judged.enforced), "bar": BAR, "met": judged.met(),
        "customers_packets": judged.customers.packets, "customers_dropped": judged.customers.dropped,
        "customers_held": judged.customers.held,
        "incidents": told.collect::<Vec<_>>(),
    })
}

fn world_cup(args: &Args, out: &mut impl Write) -> io::Result<bool> {
    let minutes = Arc::new(Minutes::new(args.seed));
    let level = Level { rate: 1.0, dispersion: 5.0, wander: 0.1 };
    let hours = Hours::Series(Arc::clone(&minutes), 0);
    let site = Service::new(Role::Web, level, hours, Life::default(), args.seed);
    let mut node = Node::new(vec![site], detection());
    (0..minutes.0.len() as u64 * WINDOWS_PER_MINUTE).for_each(|_| node.window(|_, _, _| {}));
    let labelled = |label| node.incidents().iter().filter(|incident| incident.label == label).count();
    let (surges, attacks, fared) = (labelled(Label::Surge), labelled(Label::Attack), node.customers(1));
    let days = node.number() as f64 / WINDOWS_PER_DAY as f64;
    let (median, most) = (minutes.quantile(0.5), minutes.quantile(1.0));
    if args.output == Output::Json {
        let value = json!({
            "days": days, "median_per_minute": median, "most_per_minute": most, "surges": surges, "attacks": attacks,
            "customers_packets": fared.packets, "customers_dropped": fared.dropped + fared.held,
        });
        writeln!(out, "{value}")?;
    } else {
        writeln!(
            out,
            "{days:.0} days, median {median} and at most {most} requests per minute: {surges} surges, {attacks} attacks; of {} \
             packets {} were dropped",
            fared.packets,
            fared.dropped + fared.held
        )?;
    }
    Ok(attacks == 0 && fared.lost() == 0.0)
}
