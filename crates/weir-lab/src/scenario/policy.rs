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
    format!(
        "apiVersion: weir.dev/v1alpha1
kind: Protection
metadata: {{name: {name}, namespace: lab}}
spec:
  target:
    addresses:
      - {{ip: \"{}\"{comma}{port}}}
      - {{ip: \"{}\"{comma}{port}}}
  mode: Enforce
{rest}",
        pod_v4(0),
        pod_v6(0),
    )
}

/// The customers' networks as an allow list: a shop that knows its customers.
pub fn allow_customers() -> String {
    format!(
        "  allow:\n    - {{cidr: \"{}/{}\"}}\n    - {{cidr: \"{}/{}\"}}\n",
        CUSTOMERS_V4.0, CUSTOMERS_V4.1, CUSTOMERS_V6.0, CUSTOMERS_V6.1
    )
}
