//! What a pod serves: web pages by nginx, names by a small server of the lab's own.

pub mod dns;
pub mod nginx;

use anyhow::Result;

use crate::lab::Lab;

/// The servers of one pod.
pub struct Servers {
    _web: nginx::Nginx,
    names: dns::NameServer,
}

impl Servers {
    /// Starts both in a pod; they take requests when this returns.
    pub fn start(lab: &Lab, pod: usize) -> Result<Servers> {
        let ns = &lab.layout().pods[pod];
        let web = nginx::Nginx::start(ns, &lab.dir().join(format!("pod{pod}")))?;
        let names = dns::NameServer::start(ns)?;
        Ok(Servers { _web: web, names })
    }

    /// Queries that the name server answered.
    pub fn names_answered(&self) -> u64 {
        self.names.answered()
    }
}
