//! The engine's thread.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use super::command::Command;
use super::seconds::POLL;
use super::{Engine, Handle, Now, Refusal};

/// Starts the thread. It ends when it is told to stop, when everything is detached, or when nobody holds a handle.
pub fn run(engine: Engine) -> std::io::Result<(Handle, JoinHandle<()>)> {
    let (sender, receiver) = mpsc::channel();
    let thread = thread::Builder::new().name("weir-engine".into()).spawn(move || work(engine, &receiver))?;
    Ok((Handle(sender), thread))
}

fn work(mut engine: Engine, commands: &mpsc::Receiver<Command>) {
    engine.hurry();
    let mut next = Instant::now();
    loop {
        match commands.recv_timeout(next.saturating_duration_since(Instant::now())) {
            Ok(Command::Policy(loaded)) => engine.reload(loaded, Now::read()),
            Ok(Command::Host(host)) => engine.set_host(host, Now::read()),
            // Who asked may have given up waiting; the answer then goes nowhere.
            Ok(Command::Put(action, entry, reply)) => drop(reply.send(engine.put(action, entry, Now::read()))),
            Ok(Command::Remove(action, cidr, reply)) => drop(reply.send(engine.remove(action, cidr, Now::read()))),
            Ok(Command::Explain(ip, reply)) => drop(reply.send(Ok(engine.explain(ip, Now::read())))),
            Ok(Command::Baseline(target, reply)) => drop(reply.send(engine.baseline(&target, Now::read()))),
            Ok(Command::Rule(id, ruling, by, reply)) => drop(reply.send(engine.rule(&id, ruling, by, Now::read()))),
            Ok(Command::Evidence(incident, reply)) => drop(reply.send(engine.evidence(incident))),
            Ok(Command::Detach(reply)) => {
                let removed = engine.detach(Now::read()).map_err(|e| Refusal::Failed(e.to_string()));
                tracing::info!(removed = removed.as_ref().map(|r| r.join(", ")).unwrap_or_default(), "detached");
                return drop(reply.send(removed));
            }
            Ok(Command::Stop) | Err(RecvTimeoutError::Disconnected) => return engine.stop(Now::read()),
            Err(RecvTimeoutError::Timeout) => {}
        }
        let now = Now::read();
        if now.steady >= next {
            engine.tick(now);
            // As long a rest as it was work: a thread with a priority must not take a whole core, however much there is to do.
            let took = now.steady.elapsed();
            next = Instant::now() + POLL.saturating_sub(took).max(took);
        }
    }
}
