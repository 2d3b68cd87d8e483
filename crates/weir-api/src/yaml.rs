//! YAML files to objects. Every refusal names the line and column, the cause and the likely fix.

mod documents;
mod explain;
mod locate;
mod nearest;

use std::sync::Arc;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::field::FieldPath;
use crate::object::{API_VERSION, Kind, Object, Resource};
use crate::problem::{Position, Problem, Severity};

pub use nearest::nearest;

/// Files larger than this are refused: long lists belong into files of `SourceSet`s.
pub const MAX_BYTES: usize = 16 << 20;

/// An object and the text it came from, for findings that need more than one object to be seen.
#[derive(Clone, Debug)]
pub struct Parsed {
    /// The object.
    pub object: Object,
    /// Where it stands.
    pub origin: Origin,
}

/// A document within a file.
#[derive(Clone, Debug)]
pub struct Origin {
    file: Arc<str>,
    text: Arc<str>,
    first_line: u64,
}

impl Origin {
    /// A finding about a field of the object.
    pub fn problem(&self, severity: Severity, field: &FieldPath, message: impl Into<String>) -> Problem {
        let (line, column) = locate::locate(&self.text, field).unwrap_or((1, 1));
        Problem {
            severity,
            position: Position { file: self.file.clone(), line: self.first_line + line - 1, column },
            field: field.to_string(),
            message: message.into(),
        }
    }

    /// Where the object starts.
    pub fn position(&self) -> Position {
        let (line, column) = locate::locate(&self.text, &FieldPath::default()).unwrap_or((1, 1));
        Position { file: self.file.clone(), line: self.first_line + line - 1, column }
    }
}

/// What decides how a document is read.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    #[serde(default)]
    api_version: Option<String>,
    #[serde(default)]
    kind: Option<String>,
}

/// Reads all documents of a file. Every document is looked at, so that one run shows all that is wrong.
pub fn parse(file: &str, text: &str) -> (Vec<Parsed>, Vec<Problem>) {
    let file: Arc<str> = file.into();
    let (mut objects, mut problems) = (Vec::new(), Vec::new());
    if text.len() > MAX_BYTES {
        let message = format!(
            "the file is larger than {} MiB: put long lists into a file of their own and name it in a SourceSet",
            MAX_BYTES >> 20
        );
        let position = Position { file, line: 0, column: 0 };
        problems.push(Problem { severity: Severity::Error, position, field: String::new(), message });
        return (objects, problems);
    }
    for document in documents::split(text) {
        let origin = Origin { file: file.clone(), text: document.text.into(), first_line: document.first_line };
        match object(&origin) {
            Ok(object) => objects.push(Parsed { object, origin }),
            Err(problem) => problems.push(problem),
        }
    }
    (objects, problems)
}

/// Reads one document.
fn object(origin: &Origin) -> Result<Object, Problem> {
    let head: Head = typed(origin)?;
    let kind = kind(origin, &head)?;
    let object = match kind {
        Kind::Protection => Object::Protection(typed(origin)?),
        Kind::ClusterProtection => Object::ClusterProtection(typed(origin)?),
        Kind::SourceSet => Object::SourceSet(typed(origin)?),
        Kind::Block => Object::Block(typed(origin)?),
    };
    if object.metadata().name.is_empty() {
        let path = FieldPath(vec![crate::field::Step::Field("metadata"), crate::field::Step::Field("name")]);
        return Err(origin.problem(Severity::Error, &path, "the name is empty: give the object a name"));
    }
    Ok(object)
}

/// The kind, if it is one of ours in our version.
fn kind(origin: &Origin, head: &Head) -> Result<Kind, Problem> {
    let at = |name: &'static str| FieldPath(vec![crate::field::Step::Field(name)]);
    let refuse = |name, message: String| Err(origin.problem(Severity::Error, &at(name), message));
    match head.api_version.as_deref() {
        Some(API_VERSION) => {}
        Some(other) => return refuse("apiVersion", format!("`{other}` is not known: write `{API_VERSION}`")),
        None => return refuse("apiVersion", format!("missing: write `apiVersion: {API_VERSION}`")),
    }
    let names = Kind::ALL.map(Kind::name);
    match head.kind.as_deref() {
        None => refuse("kind", format!("missing: write one of {}", names.join(", "))),
        Some("Incident") => refuse("kind", "an Incident is written by Weir and not read from files: remove it".into()),
        Some(name) => match Kind::ALL.into_iter().find(|k| k.name() == name) {
            Some(kind) => Ok(kind),
            None => refuse("kind", format!("`{name}` is not known{}", explain::suggestion(name, &names))),
        },
    }
}

/// Deserializes the document as one type.
fn typed<T: DeserializeOwned>(origin: &Origin) -> Result<T, Problem> {
    let options = serde_saphyr::options! { with_snippet: false };
    serde_saphyr::from_str_with_options(&origin.text, options).map_err(|e| explain::explain(origin, &e))
}

/// One object as a YAML document.
pub fn write<S: serde::Serialize>(resource: &Resource<S>) -> Result<String, String> {
    serde_saphyr::to_string(resource).map_err(|e| e.to_string())
}
