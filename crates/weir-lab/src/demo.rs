//! The story of a flood, told live: what customers get before, during, and during with Weir; then what was dropped and why.

use std::io::{IsTerminal, stdout};
use std::time::Instant;

use anyhow::{Context, Result};

use crate::guard::Arm;
use crate::report::percent;
use crate::run::{self, Audience, Moment, Options, Outcome, Stage};
use crate::scenario::Scenario;
use crate::weir;

/// Widths of the picture.
const BAR: u64 = 30;

/// Tells it; `false` when the story did not go as it should.
pub fn tell(scenario: &Scenario, options: Options) -> Result<bool> {
    if options.arm == Arm::Weir {
        weir::find()?;
    }
    let start = Instant::now();
    println!("Weir, a demonstration: {}", scenario.about);
    println!(
        "A node, a pod with a web server and a name server, 128 customers, attackers: all in network namespaces of"
    );
    println!("this machine. Nothing leaves them, and everything is removed at the end.");
    let stage = Stage::set("demo", scenario)?;
    let full = scenario.load().per_second() * f64::from(scenario.surge());
    let mut teller = Teller { full, colour: stdout().is_terminal() };
    let outcome = run::play(&stage, scenario, options, &mut teller)?;
    stage.strike().context("cleaning up")?;
    epilogue(&outcome);
    println!("\nAll namespaces, programs and files are removed; it took {:.0} s.", start.elapsed().as_secs_f64());
    Ok(outcome.report.findings.is_empty())
}

struct Teller {
    /// Answers a second of a healthy service.
    full: f64,
    colour: bool,
}

impl Audience for Teller {
    fn act(&mut self, number: u32, title: &str) {
        println!("\n{number}. {}", capital(title));
        println!(
            "   {:>3}  {:<30}  {:>8}  {:>8}  {:>10}  {:>10}",
            "s", "customers' answers", "answered", "failed", "attack", "into pod"
        );
    }

    fn note(&mut self, text: &str) {
        println!("   {text}");
    }

    fn moment(&mut self, moment: &Moment) {
        let share = (moment.answered as f64 / self.full).min(1.0);
        let filled = ((share * BAR as f64).round() as usize).min(BAR as usize);
        let bar = format!("{}{}", "█".repeat(filled), "░".repeat(BAR as usize - filled));
        let colour = match share {
            _ if !self.colour => ("", ""),
            0.95.. => ("\x1b[32m", "\x1b[0m"),
            0.5.. => ("\x1b[33m", "\x1b[0m"),
            _ => ("\x1b[31m", "\x1b[0m"),
        };
        println!(
            "   {:>3}  {}{bar}{}  {:>6}/s  {:>6}/s  {:>8}/s  {:>8}/s",
            moment.second, colour.0, colour.1, moment.answered, moment.failed, moment.attack, moment.pod
        );
    }
}

fn epilogue(outcome: &Outcome) {
    let report = &outcome.report;
    println!("\nWhat became of the customers' requests");
    let line = |name: &str, goodput: f64, ratio: f64| {
        println!("   {name:34}{goodput:>6.0} answers/s  {:>8}", percent(ratio));
    };
    line("without flood", report.bare_goodput, 1.0);
    if let (Some(goodput), Some(ratio)) = (report.goodput_unprotected, report.goodput_unprotected_ratio) {
        line("under the flood, without Weir", goodput, ratio);
    }
    line("under the flood, with Weir", report.goodput_under_attack, report.goodput_ratio);

    println!("\nWhat Weir did with packets, and why");
    println!("   {:>12}  {:10}  {:24}  why", "packets", "verdict", "reason");
    for counter in &outcome.counters {
        println!("   {:>12}  {:10}  {:24}  {}", counter.packets, counter.verdict, counter.reason, counter.text);
    }
    println!(
        "   {} attack packets were sent; Weir dropped {}, {} entered the pod, {} were lost in full queues before.",
        report.attack_sent,
        report.attack_drop_ratio.map_or_else(|| "none".to_owned(), percent),
        report.attack_reached_pod,
        report.attack_lost_before_weir,
    );
    println!("   Weir's own user space took {:.2} cores and {:.0} MiB.", report.agent_cpu_cores, report.agent_rss_mib);
    for finding in &report.findings {
        println!("   NOT AS IT SHOULD BE: {finding}");
    }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
