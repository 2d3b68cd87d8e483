//! How others ask the engine for a change, and how it refuses.

use std::net::IpAddr;
use std::sync::mpsc;

use tokio::sync::oneshot;
use weir_api::local::{Applied, BaselineRow, Explanation, NewEntry, RuleRow, Ruling};
use weir_api::problem::Problem;
use weir_api::spec::{BlockAction, Cidr};

use crate::forensics::Evidence;
use crate::host::Host;
use crate::policy::Loaded;

/// Why a change was refused.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// What was to be removed is not there.
    #[error("{0}")]
    Unknown(String),
    /// The request is understood and would do harm.
    #[error("{0}")]
    Unwise(String),
    /// Keeping it or putting it in force failed; what was in force before still is.
    #[error("{0}")]
    Failed(String),
    /// The agent is stopping.
    #[error("the agent is stopping: try again when it runs")]
    Stopped,
}

/// What the engine is asked.
pub(crate) enum Command {
    /// New policy files were read; none: they are refused.
    Policy(Result<Loaded, Vec<Problem>>),
    /// The host's addresses.
    Host(Host),
    /// Add or replace a runtime entry.
    Put(BlockAction, NewEntry, oneshot::Sender<Result<Applied, Refusal>>),
    /// Remove a runtime entry.
    Remove(BlockAction, Cidr, oneshot::Sender<Result<Applied, Refusal>>),
    /// What touches an address.
    Explain(IpAddr, oneshot::Sender<Result<Explanation, Refusal>>),
    /// What is usual for a target.
    Baseline(String, oneshot::Sender<Result<BaselineRow, Refusal>>),
    /// Approve or reject an incident's rule; who asks.
    Rule(String, Ruling, Option<u32>, oneshot::Sender<Result<RuleRow, Refusal>>),
    /// An incident's packets.
    Evidence(u64, oneshot::Sender<Result<Evidence, Refusal>>),
    /// Remove everything and stop.
    Detach(oneshot::Sender<Result<Vec<String>, Refusal>>),
    /// Stop; the kernel goes on enforcing.
    Stop,
}

/// The way to the engine's thread.
#[derive(Clone, Debug)]
pub struct Handle(pub(crate) mpsc::Sender<Command>);

impl Handle {
    /// Adds or replaces a runtime entry; comes back when the kernel has it.
    pub async fn put(&self, action: BlockAction, entry: NewEntry) -> Result<Applied, Refusal> {
        self.ask(|reply| Command::Put(action, entry, reply)).await
    }

    /// Removes a runtime entry; comes back when the kernel no longer has it.
    pub async fn remove(&self, action: BlockAction, cidr: Cidr) -> Result<Applied, Refusal> {
        self.ask(|reply| Command::Remove(action, cidr, reply)).await
    }

    /// Everything that touches an address.
    pub async fn explain(&self, ip: IpAddr) -> Result<Explanation, Refusal> {
        self.ask(|reply| Command::Explain(ip, reply)).await
    }

    /// What is usual for a target.
    pub async fn baseline(&self, target: String) -> Result<BaselineRow, Refusal> {
        self.ask(|reply| Command::Baseline(target, reply)).await
    }

    /// Approves or rejects an incident's rule; comes back when the kernel knows.
    pub async fn rule(&self, id: String, ruling: Ruling, by: Option<u32>) -> Result<RuleRow, Refusal> {
        self.ask(|reply| Command::Rule(id, ruling, by, reply)).await
    }

    /// An incident's packets.
    pub async fn evidence(&self, incident: u64) -> Result<Evidence, Refusal> {
        self.ask(|reply| Command::Evidence(incident, reply)).await
    }

    /// Detaches and removes everything; the agent stops.
    pub async fn detach(&self) -> Result<Vec<String>, Refusal> {
        self.ask(Command::Detach).await
    }

    /// Tells the engine what the policy files now say.
    pub fn policy(&self, loaded: Result<Loaded, Vec<Problem>>) {
        self.tell(Command::Policy(loaded));
    }

    /// Tells the engine the host's addresses.
    pub fn host(&self, host: Host) {
        self.tell(Command::Host(host));
    }

    /// Stops the engine's thread; the kernel goes on enforcing.
    pub fn stop(&self) {
        self.tell(Command::Stop);
    }

    fn tell(&self, command: Command) {
        // Nobody listens any more: the agent is stopping, and nothing is owed.
        let _ = self.0.send(command);
    }

    async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<Result<T, Refusal>>) -> Command) -> Result<T, Refusal> {
        let (reply, answer) = oneshot::channel();
        self.0.send(command(reply)).map_err(|_| Refusal::Stopped)?;
        answer.await.map_err(|_| Refusal::Stopped)?
    }
}
