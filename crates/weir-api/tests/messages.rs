//! What a person reads when a file is wrong: place, cause, fix.

use weir_api::yaml::parse;

/// A `Protection` with this spec, four lines above it.
fn protection(spec: &str) -> String {
    let indented: String = spec.lines().map(|l| format!("  {l}\n")).collect();
    format!("apiVersion: weir.dev/v1alpha1\nkind: Protection\nmetadata: {{name: shop}}\nspec:\n{indented}")
}

#[track_caller]
fn check(text: &str, expected: &[&str]) {
    let (_, problems) = parse("p.yaml", text);
    let found: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(found, expected, "\n{text}");
}

#[test]
fn a_whole_protection_is_read() {
    check(
        &protection(
            "target: {services: {matchLabels: {app: shop}}}\n\
             mode: Enforce\n\
             sensitivity: High\n\
             limits:\n\
            \x20 perSource: {packets: {average: 2k, burst: 4000, period: 1s}, connections: {average: 50, burst: 100}}\n\
            \x20 perTarget: {bytes: {average: 10Mi}}\n\
             syn: {challenge: Auto}\n\
             fragments: Track\n\
             allow: [{sourceSet: office}, {cidr: 198.51.100.0/24}]\n\
             deny: [{sourceSet: known-bad}]\n\
             response: {maxTtl: 1h, maxSignatures: 8, collateralBudget: 0.001}",
        ),
        &[],
    );
}

#[test]
fn unknown_fields_name_the_nearest() {
    check(&protection("limit: {}"), &["p.yaml:5:3: unknown field `limit`: did you mean `limits`?"]);
    check(
        &protection("limits:\n  perSource:\n    packet: {average: 1}"),
        &["p.yaml:7:7: unknown field `packet`: did you mean `packets`?"],
    );
    check(
        &protection("limits: {colour: red}"),
        &["p.yaml:5:12: unknown field `colour`: write one of perSource, perPrefix, perTarget, eastWest"],
    );
}

#[test]
fn wrong_words_name_the_allowed_ones() {
    check(&protection("mode: enforce"), &["p.yaml:5:9: `enforce` is not allowed here: did you mean `Enforce`?"]);
    check(&protection("fragments: Keep"), &["p.yaml:5:14: `Keep` is not allowed here: write one of Track, Drop, Pass"]);
}

#[test]
fn wrong_values_name_themselves() {
    check(
        &protection("allow:\n  - cidr: 198.51.100.0/33"),
        &[
            "p.yaml:6:13: `198.51.100.0/33` is not an address or CIDR: write something like 198.51.100.0/24, 198.51.100.7 or 2001:db8::/32",
        ],
    );
    check(
        &protection("allow:\n  - cidr: 198.51.100.7/24"),
        &[
            "p.yaml:6:13: `198.51.100.7/24` has bits set behind its prefix length: write 198.51.100.0/24 for the whole block, or 198.51.100.7/32 for the one address",
        ],
    );
    check(
        &protection("limits: {perSource: {packets: {average: 10 per second}}}"),
        &[
            "p.yaml:5:43: `10 per second` is not a quantity: write a whole number, if need be with k, M, G, T, Ki, Mi, Gi or Ti, such as 200k or 10Mi",
        ],
    );
    check(&protection("limits: {perSource: {packets: {average: -1}}}"), &["p.yaml:5:43: -1 is below zero"]);
    check(
        &protection("limits: {perSource: {packets: {average: 1, period: 1}}}"),
        &["p.yaml:5:54: `1` is not a length of time: write numbers with units, such as 500ms, 30s, 10m, 1h30m or 2d"],
    );
    check(
        &protection("limits: {perSource: {packets: {burst: 1}}}"),
        &["p.yaml:5:34: the field `average` is missing here: add it"],
    );
}

#[test]
fn wrong_shapes_say_what_is_wanted() {
    let fields = "fields are wanted here: write `name: value` lines, or {} for none";
    check(&protection("mode: [Observe]"), &["p.yaml:5:9: one word or text is wanted here, not a list or fields"]);
    check(&protection("limits: 5"), &[&format!("p.yaml:5:11: {fields}")]);
    check(&protection("allow: office"), &["p.yaml:5:10: a list is wanted here: write `- item` lines, or [] for none"]);
    check(&protection("hygiene: {land: perhaps}"), &["p.yaml:5:19: true or false is wanted here"]);
    check(&protection("response: {maxSignatures: many}"), &["p.yaml:5:29: a whole number is wanted here"]);
    check(
        &protection("target: {addresses: [{ip: 192.0.2.1, port: 70000}]}"),
        &["p.yaml:5:46: a whole number from 0 to 65535 is wanted here"],
    );
    check("just text\n", &[&format!("p.yaml:1:1: {fields}")]);
}

#[test]
fn kinds_and_versions() {
    check("kind: Protection\n", &["p.yaml:1:1: apiVersion: missing: write `apiVersion: weir.dev/v1alpha1`"]);
    check(
        "apiVersion: weir.dev/v1\nkind: Protection\n",
        &["p.yaml:1:13: apiVersion: `weir.dev/v1` is not known: write `weir.dev/v1alpha1`"],
    );
    check(
        "apiVersion: weir.dev/v1alpha1\nkind: Protections\n",
        &["p.yaml:2:7: kind: `Protections` is not known: did you mean `Protection`?"],
    );
    check(
        "apiVersion: weir.dev/v1alpha1\nkind: ConfigMap\n",
        &["p.yaml:2:7: kind: `ConfigMap` is not known: write one of Protection, ClusterProtection, SourceSet, Block"],
    );
}

#[test]
fn every_document_is_looked_at_and_lines_go_on() {
    let text = format!("# first\n{}---\n{}---\n{}", protection("mode: X"), protection("{}"), protection("mode: Y"));
    check(
        &text,
        &[
            "p.yaml:6:9: `X` is not allowed here: write one of Observe, Enforce",
            "p.yaml:18:9: `Y` is not allowed here: write one of Observe, Enforce",
        ],
    );
}

#[test]
fn broken_yaml_has_a_place_too() {
    check(
        "apiVersion: weir.dev/v1alpha1\nkind: [\n",
        &["p.yaml:2:7: one word or text is wanted here, not a list or fields"],
    );
    check("a: 1\na: 2\n", &["p.yaml:2:1: the field `a` stands here twice: remove one of the two"]);
    check("a: \"\\q\"\n", &["p.yaml:1:4: while parsing a quoted scalar, found unknown escape character"]);
}

#[test]
fn what_the_cluster_adds_is_no_hindrance() {
    check(
        "apiVersion: weir.dev/v1alpha1\nkind: Block\n\
         metadata: {name: b, uid: 1234, resourceVersion: \"7\", creationTimestamp: 2026-01-01T00:00:00Z}\n\
         spec: {cidr: 203.0.113.7, reason: scanner, expires: 2026-03-01T12:00:00Z}\n\
         status: {conditions: [{type: Accepted, status: \"True\"}]}\n",
        &[],
    );
}
