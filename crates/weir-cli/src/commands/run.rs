//! `weir run`.

use std::path::PathBuf;

use anyhow::Context;
use tokio::runtime::Builder;
use weir_agent::engine::Settings;
use weir_agent::kernel::{self, OpenOptions};
use weir_agent::notify::Audience;
use weir_agent::run::{self, Ended, Options, Running};
use weir_agent::{log, status};
use weir_api::local::NodeMode;
use weir_api::spec::Mode;

use crate::Outcome;
use crate::cli::{Failsafe, ModeArg, RunArgs};

/// Runs the agent until it is told to stop.
pub fn run(args: RunArgs, socket: PathBuf) -> anyhow::Result<Outcome> {
    log::init();
    let RunArgs {
        interfaces,
        policy,
        mode,
        never_block,
        failsafe,
        learn,
        pin_dir,
        state_dir,
        generic,
        listen,
        webhook,
        syslog,
        detach_on_exit,
    } = args;
    let mode = mode.map(|mode| match mode {
        ModeArg::Observe => Mode::Observe,
        ModeArg::Enforce => Mode::Enforce,
    });
    let ports = failsafe.iter().filter_map(|f| match f {
        Failsafe::Port(port) => Some(*port),
        Failsafe::Nothing => None,
    });
    let failsafe = (!failsafe.is_empty()).then(|| ports.collect());
    let options = Options {
        settings: Settings { policy, mode, never_block, failsafe, state_dir, learn: learn.map(|period| period.get()) },
        socket,
        listen,
        audience: Audience { webhook, syslog },
        detach_on_exit,
    };
    let open = OpenOptions { interfaces, pin_dir, generic };
    let runtime =
        Builder::new_multi_thread().worker_threads(2).enable_all().build().context("cannot start the runtime")?;
    let ended = runtime.block_on(run::run(options, move || kernel::open(open), started))?;
    match ended {
        Ended::StillEnforcing => {
            tracing::info!("stopped; the kernel goes on with the tables in force, `weir detach` removes everything");
        }
        Ended::Detached => tracing::info!("stopped; everything is removed from the kernel"),
    }
    Ok(Outcome::Fine)
}

/// Says what runs, and what stopping it does.
fn started(running: &Running) {
    let status = status::status(&running.view);
    for a in &status.attachments {
        let hook = a.hook.label();
        let beside = (!a.foreign.is_empty()).then(|| a.foreign.join(", "));
        tracing::info!(interface = a.interface, hook, adopted = a.adopted, beside, why = a.reason, "attached");
        if let Some(why) = &a.blind {
            tracing::warn!(
                interface = a.interface,
                why,
                "what the host sends there is not seen: connections are not known, and rules may touch any packet"
            );
        }
        if let Some(why) = &a.mute {
            tracing::warn!(interface = a.interface, why, "nothing can be sent back there: SYNs are not challenged");
        }
    }
    let mode = match status.mode {
        NodeMode::Observe => "observe: nothing is dropped by the node's own checks",
        NodeMode::Enforce => "enforce",
    };
    let listening = running.listening.map(|a| a.to_string());
    tracing::info!(
        mode,
        targets = status.targets.len(),
        listening,
        "weir runs; stopping it leaves the kernel enforcing, `weir detach` removes everything"
    );
}
