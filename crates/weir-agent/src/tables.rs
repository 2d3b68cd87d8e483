//! A policy to the tables of the packet path, and what the compiler refuses to findings about files.

use std::collections::HashMap;

use weir_api::problem::{Position, Problem, Severity};
use weir_api::to_policy::Clock;
use weir_policy::compile::{CompileError, CompileErrors, CompileOptions, Compiled, compile};
use weir_policy::image::TableImage;
use weir_policy::model::Policy;

/// Compiles; `previous` are the tables in force, whose ids are kept.
pub fn build(policy: &Policy, previous: Option<&TableImage>, clock: Clock) -> Result<Compiled, CompileErrors> {
    compile(policy, &CompileOptions::new(clock.hz, clock.ticks), previous)
}

/// What the compiler refuses, as findings at the objects' places.
pub fn findings(errors: &CompileErrors, places: &HashMap<String, Position>, otherwise: &str) -> Vec<Problem> {
    let finding = |error: &CompileError| {
        let place = subject(error).and_then(|name| places.get(name)).cloned();
        Problem {
            severity: Severity::Error,
            position: place.unwrap_or_else(|| Position { file: otherwise.into(), line: 0, column: 0 }),
            field: String::new(),
            message: error.to_string(),
        }
    };
    errors.0.iter().map(finding).collect()
}

/// The target or object an error is about.
fn subject(error: &CompileError) -> Option<&str> {
    match error {
        CompileError::DuplicateTarget { target }
        | CompileError::TooManyTargets { target, .. }
        | CompileError::NoPorts { target, .. }
        | CompileError::Limit { target, .. }
        | CompileError::UnknownSet { target, .. } => Some(target),
        CompileError::List { name, .. } | CompileError::Rule { name, .. } => Some(name),
        _ => None,
    }
}
