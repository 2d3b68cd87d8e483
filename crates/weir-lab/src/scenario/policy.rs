//! Policies of the scenarios, as the files that `weir run -f` reads.

use crate::plan::{CUSTOMERS_V4, CUSTOMERS_V6, DNS_PORT, HTTP_PORT, pod_v4, pod_v6};

/// Files by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Name and text of each file.
    pub files: Vec<(String, String)>,
}

impl Policy {
    /// One file with `Protection`s.
    pub fn of(protections: &[String]) -> Policy {
        Policy { files: vec![("protection.yaml".to_owned(), protections.join("---\n"))] }
    }

    /// Whether some target challenges all the time, without being attacked.
    pub fn always_challenges(&self) -> bool {
        self.files.iter().any(|(_, text)| text.contains("challenge: Always"))
    }

    /// And one more.
    pub fn with(mut self, name: &str, text: String) -> Policy {
        self.files.push((name.to_owned(), text));
        self
    }
}

/// The web server's port.
pub fn web(rest: &str) -> String {
    protection("shop-web", &format!("port: {HTTP_PORT}, protocol: TCP"), rest)
}

/// The name server's port.
pub fn names(rest: &str) -> String {
    protection("shop-names", &format!("port: {DNS_PORT}, protocol: UDP"), rest)
}

/// The pod's addresses as a whole: every protocol, every port.
pub fn pod(rest: &str) -> String {
    protection("shop", "", rest)
}

/// `rest` is YAML of the spec, indented by two.
fn protection(name: &str, port: &str, rest: &str) -> String {
    let comma = if port.is_empty() { "" } else { ", " };
    protection_of(name, 0, &format!("{comma}{port}"), rest)
}

/// So many addresses from the first pod's on, of each IP version: each a target of its own.
pub fn neighbours(count: u16) -> Vec<String> {
    (0..count).map(|index| protection_of(&format!("shop-{index}"), index, "", "")).collect()
}

fn protection_of(name: &str, index: u16, port: &str, rest: &str) -> String {
    format!(
        "apiVersion: weir.dev/v1alpha1
kind: Protection
metadata: {{name: {name}, namespace: lab}}
spec:
  target:
    addresses:
      - {{ip: \"{}\"{port}}}
      - {{ip: \"{}\"{port}}}
  mode: Enforce
{rest}",
        pod_v4(index),
        pod_v6(index),
    )
}

/// The customers' networks as an allow list: a shop that knows its customers.
pub fn allow_customers() -> String {
    format!(
        "  allow:\n    - {{cidr: \"{}/{}\"}}\n    - {{cidr: \"{}/{}\"}}\n",
        CUSTOMERS_V4.0, CUSTOMERS_V4.1, CUSTOMERS_V6.0, CUSTOMERS_V6.1
    )
}
