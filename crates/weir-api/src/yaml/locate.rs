//! From a field path back to the line and column: reads the document once more, keeping positions.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess};
use serde_saphyr::Spanned;

use crate::field::{FieldPath, Step};

/// Line and column of the field within the document, or of the deepest part of its path that is written there.
pub(super) fn locate(text: &str, path: &FieldPath) -> Option<(u64, u64)> {
    let options = serde_saphyr::options! { with_snippet: false };
    let root: Spanned<Node> = serde_saphyr::from_str_with_options(text, options).ok()?;
    let mut place = (root.referenced.line(), root.referenced.column());
    let mut node = &root.value;
    for step in &path.0 {
        match (step, node) {
            (Step::Field(name), Node::Map(entries)) => {
                let Some((key, value)) = entries.iter().find(|(key, _)| key.value == *name) else { break };
                // A scalar is pointed at itself, a whole map or list at the name in front of it.
                let shown = if matches!(value.value, Node::Scalar) { value.referenced } else { key.referenced };
                place = (shown.line(), shown.column());
                node = &value.value;
            }
            (Step::Index(i), Node::List(items)) => {
                let Some(item) = items.get(*i) else { break };
                place = (item.referenced.line(), item.referenced.column());
                node = &item.value;
            }
            _ => break,
        }
    }
    Some((place.0, place.1))
}

/// A document's shape with positions; what the scalars say does not matter here.
enum Node {
    Map(Vec<(Spanned<String>, Spanned<Node>)>),
    List(Vec<Spanned<Node>>),
    Scalar,
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Node;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("any YAML")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Node::Map(entries))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Node, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    items.push(item);
                }
                Ok(Node::List(items))
            }
            fn visit_bool<E>(self, _: bool) -> Result<Node, E> {
                Ok(Node::Scalar)
            }
            fn visit_i64<E>(self, _: i64) -> Result<Node, E> {
                Ok(Node::Scalar)
            }
            fn visit_u64<E>(self, _: u64) -> Result<Node, E> {
                Ok(Node::Scalar)
            }
            fn visit_i128<E>(self, _: i128) -> Result<Node, E> {
                Ok(Node::Scalar)
            }
            fn visit_u128<E>(self, _: u128) -> Result<Node, E> {
                Ok(Node::Scalar)
            }
            fn visit_f64<E>(self, _: f64) -> Result<Node, E> {
                Ok(Node::Scalar)
            }
            fn visit_str<E>(self, _: &str) -> Result<Node, E> {
                Ok(Node::Scalar)
            }
            fn visit_unit<E>(self) -> Result<Node, E> {
                Ok(Node::Scalar)
            }
            fn visit_none<E>(self) -> Result<Node, E> {
                Ok(Node::Scalar)
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "kind: Protection\nspec:\n  allow:\n    - cidr: 192.0.2.0/24\n    - {sourceSet: office}\n";

    #[test]
    fn finds_the_field_or_its_nearest_parent() {
        let allow = FieldPath::spec().field("allow");
        assert_eq!(locate(TEXT, &allow.index(1).field("sourceSet")), Some((5, 19)));
        assert_eq!(locate(TEXT, &allow.index(0).field("sourceSet")), Some((4, 7)));
        assert_eq!(locate(TEXT, &allow), Some((3, 3)));
        assert_eq!(locate(TEXT, &FieldPath::spec().field("mode")), Some((2, 1)));
        assert_eq!(locate(": : :", &allow), None);
    }
}
