//! Every YAML example of the policy reference is a policy.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;
use std::time::SystemTime;

use weir_api::to_policy::{Clock, Context, to_policy};
use weir_api::yaml::parse;

#[test]
fn the_examples_of_the_reference_are_read_without_a_finding() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/policy.md");
    let text = std::fs::read_to_string(path).unwrap();
    let examples: Vec<&str> =
        text.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().unwrap_or_default()).collect();
    assert_eq!(examples.len(), 3);
    for example in examples {
        let (objects, problems) = parse("docs/policy.md", example);
        assert!(problems.is_empty(), "{problems:#?}\n{example}");
        let host: Vec<IpAddr> = vec!["192.0.2.10".parse().unwrap()];
        let context = Context {
            mode: None,
            host: &host,
            files: &BTreeMap::from([("known-bad.txt".to_owned(), Vec::new())]),
            clock: Clock { now: SystemTime::now(), ticks: 1 << 40, hz: 250 },
            names: Default::default(),
            sets: Default::default(),
        };
        let converted = to_policy(&objects, context).unwrap_or_else(|e| panic!("{e:#?}\n{example}"));
        assert!(converted.warnings.is_empty(), "{:#?}\n{example}", converted.warnings);
    }
}
