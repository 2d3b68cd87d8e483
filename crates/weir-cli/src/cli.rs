//! The one definition of the command line: help, completions and man pages come from here.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use ipnet::IpNet;
use weir_agent::notify::{SyslogAddress, WebhookUrl};
use weir_api::spec::{Cidr, Period};
use weir_policy::model::{FailsafePort, failsafe_port};

/// Where the agent listens unless told otherwise.
pub const SOCKET: &str = "/run/weir/weir.sock";

/// Denial-of-service defence: passes ordinary traffic, holds back floods, and says why.
#[derive(Debug, Parser)]
#[command(name = "weir", version, max_term_width = 100, propagate_version = true, infer_long_args = false)]
#[command(after_help = "Exit codes: 0 fine, 1 a finding or a failed check, 2 an error.")]
pub struct Cli {
    /// How to write the answer
    #[arg(short, long, global = true, value_enum, default_value_t = Format::Table, value_name = "FORMAT")]
    pub output: Format,
    /// The agent's socket
    #[arg(long, global = true, env = "WEIR_SOCKET", default_value = SOCKET, value_name = "PATH")]
    pub socket: PathBuf,
    #[command(subcommand)]
    pub command: Command,
}

/// Forms of output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    Table,
    /// For programs; field names are stable
    Json,
    /// For programs, readable
    Yaml,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Protect this host: attach to interfaces and run until stopped
    ///
    /// Stopping the agent leaves the kernel enforcing its last good tables, so that a restart or an upgrade leaves no
    /// gap; `weir detach` removes everything.
    Run(Box<RunArgs>),
    /// Show whether the agent is ready, where it is attached, and what is in force
    Status,
    /// Show what was passed and dropped, by target and reason
    Counters(CountersArgs),
    /// Block a source address or prefix at run time
    Block(BlockArgs),
    /// Remove a block made at run time
    Unblock(UnblockArgs),
    /// Let a source address or prefix pass every list and limit
    Allow(AllowArgs),
    /// Show every list, limit, incident and recent packet that touches an address
    Explain(ExplainArgs),
    /// List what was noticed: attacks and surges, and what was done about them
    Incidents,
    /// Show one incident: evidence, rules, sources, what was done, what was lost
    Incident(IncidentArgs),
    /// Show what is usual for a target: rates by kind of packets, now and at this hour of the week
    Baseline(BaselineArgs),
    /// List the rules there are, the policy's and those that incidents wrote, and what each matched
    Rules,
    /// Let a rule of an incident drop what it counts, for as long as the incident lasts
    Approve(RuleArgs),
    /// Withdraw a rule of an incident; the incident does not write it again
    Reject(RuleArgs),
    /// Remove Weir from the kernel: programs, maps, links, pins
    Detach(DetachArgs),
    /// Work with policy files
    Policy(PolicyArgs),
    /// Send captures through the packet pipeline, offline: what would be dropped, and why
    Replay(ReplayArgs),
    /// Judge detection on a labelled corpus: what is noticed, how soon, what is dropped of attacks and of customers
    Eval(EvalArgs),
    /// Write shell completions to stdout
    Completions(CompletionsArgs),
    /// Write man pages into a directory
    Man(ManArgs),
}

#[derive(Debug, Args)]
pub struct RunArgs {
    /// An interface to protect; may be given several times
    #[arg(short, long = "interface", required = true, value_name = "IFACE")]
    pub interfaces: Vec<String>,
    /// Directory (or file) of policy objects: Protection, ClusterProtection, SourceSet, Block; watched for changes
    #[arg(short = 'f', long = "policy", value_name = "DIR")]
    pub policy: Option<PathBuf>,
    /// Observe: drop nothing, count what would be. Enforce: drop
    ///
    /// Given, it holds for everything: the node's own checks (lists, blocks, and malformed packets where a policy asks for that) and every target,
    /// whatever the policies say. Without it each policy's own `mode` holds for its target, and the node's checks follow
    /// the ClusterProtection for nodes; both observe by default.
    #[arg(long, value_enum, value_name = "MODE")]
    pub mode: Option<ModeArg>,
    /// A source that no list may block, beside this host's own addresses, loopback and link-local
    #[arg(long, value_name = "CIDR")]
    pub never_block: Vec<IpNet>,
    /// Ports that pass before everything, instead of the usual ones; `none`: no port does [default: 22/tcp, 179/tcp, 2379/tcp, 2380/tcp, 6443/tcp,
    /// 10250/tcp, 68/udp, 546/udp]
    ///
    /// Nothing that arrives on them is ever dropped, not even from a blocked source. A public port is better not among them.
    #[arg(long, value_name = "PORT/PROTOCOL", value_delimiter = ',', value_parser = failsafe)]
    pub failsafe: Vec<Failsafe>,
    /// How long a target is watched until its rates can be called unusual, such as 30s or 1h [default: 10m]
    ///
    /// What no customer's system sends is noticed from the first moment.
    #[arg(long, value_name = "DURATION")]
    pub learn: Option<Period>,
    /// Directory of the BPF file system for what outlives the agent
    #[arg(long, env = "WEIR_PIN_DIR", default_value = "/sys/fs/bpf/weir", value_name = "DIR")]
    pub pin_dir: PathBuf,
    /// Directory for runtime blocks and the last good policy
    #[arg(long, env = "WEIR_STATE_DIR", default_value = "/var/lib/weir", value_name = "DIR")]
    pub state_dir: PathBuf,
    /// Also use generic XDP, which is slow, where neither native XDP nor tcx is to be had
    #[arg(long)]
    pub generic: bool,
    /// A loopback address for /metrics, /livez, /readyz and reading the API, such as 127.0.0.1:9090
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Option<SocketAddr>,
    /// Post every step of an incident, as JSON, to this address
    ///
    /// What is not taken is tried again for some minutes; detection never waits for it. The address may be a secret: only its host is shown.
    #[arg(long, env = "WEIR_WEBHOOK", hide_env_values = true, value_name = "URL")]
    pub webhook: Option<WebhookUrl>,
    /// Send every step of an incident to a syslog daemon (RFC 5424): a socket such as /dev/log, or udp://HOST:PORT
    #[arg(long, value_name = "ADDRESS")]
    pub syslog: Option<SyslogAddress>,
    /// Remove everything from the kernel when stopped
    #[arg(long)]
    pub detach_on_exit: bool,
}

/// `--failsafe`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failsafe {
    /// `none`
    Nothing,
    /// `22/tcp`
    Port(FailsafePort),
}

fn failsafe(text: &str) -> Result<Failsafe, String> {
    if text == "none" { Ok(Failsafe::Nothing) } else { failsafe_port(text).map(Failsafe::Port) }
}

/// `--mode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ModeArg {
    /// Drop nothing, count what would be
    Observe,
    /// Drop
    Enforce,
}

#[derive(Debug, Args)]
pub struct CountersArgs {
    /// Go on, once a second
    #[arg(short, long)]
    pub watch: bool,
    /// Only this target
    #[arg(long, value_name = "NAME")]
    pub target: Option<String>,
}

#[derive(Debug, Args)]
pub struct BlockArgs {
    /// The address or prefix
    pub cidr: Cidr,
    /// How long, such as 30m, 1h or 7d; `never` keeps it until it is removed
    #[arg(long = "for", default_value = "1h", value_name = "DURATION", value_parser = lasting)]
    pub duration: Lasting,
    /// Why, for whoever finds it later
    #[arg(long, default_value = "", value_name = "TEXT")]
    pub reason: String,
}

#[derive(Debug, Args)]
pub struct UnblockArgs {
    /// The address or prefix, as `weir status` shows it
    pub cidr: Cidr,
}

#[derive(Debug, Args)]
pub struct AllowArgs {
    /// The address or prefix
    pub cidr: Cidr,
    /// How long, such as 30m, 1h or 7d; `never` keeps it until it is removed
    #[arg(long = "for", default_value = "never", value_name = "DURATION", value_parser = lasting)]
    pub duration: Lasting,
    /// Why, for whoever finds it later
    #[arg(long, default_value = "", value_name = "TEXT")]
    pub reason: String,
    /// Remove it instead
    #[arg(long, conflicts_with_all = ["duration", "reason"])]
    pub remove: bool,
}

/// How long an entry lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lasting {
    /// For this long.
    For(Period),
    /// Until it is removed.
    Never,
}

fn lasting(text: &str) -> Result<Lasting, String> {
    match text {
        "never" => Ok(Lasting::Never),
        _ => text.parse().map(Lasting::For).map_err(|e: weir_api::spec::period::PeriodError| e.to_string()),
    }
}

#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// The source address
    pub address: IpAddr,
}

#[derive(Debug, Args)]
pub struct DetachArgs {
    /// Directory of the BPF file system that `weir run` used
    #[arg(long, env = "WEIR_PIN_DIR", default_value = "/sys/fs/bpf/weir", value_name = "DIR")]
    pub pin_dir: PathBuf,
}

#[derive(Debug, Args)]
pub struct PolicyArgs {
    #[command(subcommand)]
    pub command: PolicyCommand,
}

#[derive(Debug, Subcommand)]
pub enum PolicyCommand {
    /// Check files or directories as `weir run` would read them
    Check(CheckArgs),
}

#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Files or directories; each is checked by itself
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// Captures: pcap or pcapng; Ethernet, raw IP, Linux cooked or loopback frames; each is replayed by itself
    #[arg(required = true, value_name = "FILE")]
    pub captures: Vec<PathBuf>,
    /// Directory (or file) of policy objects; without it the node's own checks and the safe ones for --host
    #[arg(long, value_name = "DIR")]
    pub protections: Option<PathBuf>,
    /// An address that `nodes: {}` stands for, the host's that is protected; may be given several times
    #[arg(long, value_name = "ADDRESS")]
    pub host: Vec<IpAddr>,
    /// Drop, or count what would be dropped; without it as the policies say
    #[arg(long, value_enum, value_name = "MODE")]
    pub mode: Option<ModeArg>,
    /// Captures of ordinary traffic to learn from
    #[arg(long, num_args = 1.., value_name = "FILE")]
    pub baseline: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub struct IncidentArgs {
    /// Its number, from `weir incidents`
    #[arg(value_name = "ID")]
    pub id: u64,
    /// Write its sampled packets to this file as a capture (pcapng), each with what was done with it and why; `-`: to stdout
    #[arg(long, value_name = "FILE")]
    pub pcap: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct RuleArgs {
    /// The rule, such as 7.3, from `weir rules`
    #[arg(value_name = "RULE")]
    pub rule: String,
}

#[derive(Debug, Args)]
pub struct BaselineArgs {
    /// Its name, as `weir status` shows it
    #[arg(value_name = "TARGET", value_parser = target_name)]
    pub target: String,
}

/// A name that can stand in a path of the API; no target has another.
fn target_name(text: &str) -> Result<String, String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-._/".contains(c);
    if !text.is_empty() && text.chars().all(fits) {
        return Ok(text.to_owned());
    }
    Err("not a target's name: `weir status` lists them".to_owned())
}

#[derive(Debug, Args)]
pub struct EvalArgs {
    /// CSV with the columns file, label (attack, benign, malformed), vector and, where known, victim_ip; captures lie beside it
    #[arg(value_name = "MANIFEST.csv")]
    pub manifest: PathBuf,
    /// Judge only captures whose name contains this; may be given several times
    #[arg(long, value_name = "TEXT")]
    pub only: Vec<String>,
}

#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell
    pub shell: Shell,
}

#[derive(Debug, Args)]
pub struct ManArgs {
    /// The directory, which must exist
    #[arg(value_name = "DIR")]
    pub directory: PathBuf,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn failsafe_ports_are_a_list_or_none() {
        use weir_policy::model::Proto;
        let run = |more: &[&str]| {
            let words = [&["weir", "run", "-i", "eth0"], more].concat();
            match Cli::try_parse_from(words).map_err(|e| e.to_string())?.command {
                Command::Run(args) => Ok(args.failsafe),
                _ => Err("not run".to_owned()),
            }
        };
        assert_eq!(run(&[]), Ok(vec![]));
        assert_eq!(run(&["--failsafe", "none"]), Ok(vec![Failsafe::Nothing]));
        let two = [(Proto::Tcp, 2222), (Proto::Udp, 68)].map(Failsafe::Port);
        assert_eq!(run(&["--failsafe", "2222/tcp,68/udp"]), Ok(two.to_vec()));
        assert!(run(&["--failsafe", "ssh"]).unwrap_err().contains("such as 22/tcp"));
    }
}
