//! The YAML reader's errors in our words: what is wrong, and what to write instead.

use serde_saphyr::Error;

use super::{Origin, nearest};
use crate::problem::{Position, Problem, Severity};

/// A finding about what the reader refused.
pub(super) fn explain(origin: &Origin, error: &Error) -> Problem {
    let (line, column) = error.location().map_or((1, 1), |l| (l.line(), l.column()));
    Problem {
        severity: Severity::Error,
        position: Position { file: origin.file.clone(), line: origin.first_line + line.max(1) - 1, column },
        field: String::new(),
        message: message(error),
    }
}

fn message(error: &Error) -> String {
    match error {
        Error::WithSnippet { error, .. } | Error::AliasError { error, .. } => message(error),
        Error::Message { msg, .. } => msg.clone(),
        Error::SerdeUnknownField { field, expected, .. } => {
            format!("unknown field `{field}`{}", suggestion(field, expected))
        }
        Error::SerdeUnknownVariant { variant, expected, .. } => {
            format!("`{variant}` is not allowed here{}", suggestion(variant, expected))
        }
        Error::SerdeMissingField { field, .. } => format!("the field `{field}` is missing here: add it"),
        Error::SerdeInvalidType { unexpected, expected, .. }
        | Error::SerdeInvalidValue { unexpected, expected, .. } => {
            format!("found {unexpected} where {expected} is wanted")
        }
        Error::Unexpected { expected, .. } => wanted(expected),
        Error::UnexpectedValueForUnitEnumVariant { .. } | Error::ExternallyTaggedEnumExpectedScalarOrMapping { .. } => {
            wanted("string scalar")
        }
        Error::InvalidScalar { ty, .. } => wanted(ty),
        Error::DuplicateMappingKey { key: Some(key), .. } => {
            format!("the field `{key}` stands here twice: remove one of the two")
        }
        // Lower-case and without the position, which the finding carries itself.
        other => {
            let text = other.without_snippet().to_string();
            text.split(" at line ").next().unwrap_or(&text).to_owned()
        }
    }
}

/// The reader's name for what it wants, as a person would say it.
fn wanted(what: &str) -> String {
    let what = match what {
        "mapping start" | "empty mapping start" => "fields are wanted here: write `name: value` lines, or {} for none",
        "sequence start" => "a list is wanted here: write `- item` lines, or [] for none",
        "string scalar" | "scalar" => "one word or text is wanted here, not a list or fields",
        "boolean" | "bool" => "true or false is wanted here",
        "u16" => "a whole number from 0 to 65535 is wanted here",
        "u8" | "u32" | "u64" | "i64" => "a whole number is wanted here",
        "f64" => "a number is wanted here",
        other => return format!("this cannot stand here: the reader expected {other}"),
    };
    what.to_owned()
}

/// What to write instead of a name that is not known.
pub(super) fn suggestion(wrong: &str, known: &[&str]) -> String {
    match (nearest(wrong, known), known) {
        (Some(name), _) => format!(": did you mean `{name}`?"),
        (None, []) => ": nothing may stand here".to_owned(),
        (None, _) => format!(": write one of {}", known.join(", ")),
    }
}
