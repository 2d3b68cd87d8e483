//! Which crate may use which. Nothing points back, only one crate knows aya, and nothing that ships contains the lab.

use anyhow::Result;

use super::Finding;
use crate::metadata::{self, Dependency, Package};
use crate::project::Project;

/// What each crate may depend on, of this repository's. A crate that is not here is a finding: its place in the
/// picture is decided when it arrives.
const MAY_USE: [(&str, &[&str]); 19] = [
    ("weir-abi", &[]),
    ("weir-wire", &[]),
    ("weir-core", &["weir-abi", "weir-wire"]),
    ("weir-sim", &["weir-abi", "weir-core", "weir-detect", "weir-policy", "weir-wire"]),
    ("weir-detect", &["weir-abi", "weir-policy"]),
    ("weir-policy", &["weir-abi"]),
    ("weir-api", &["weir-policy"]),
    ("weir-kube", &["weir-api", "weir-policy"]),
    ("weir-datapath", &["weir-abi", "weir-policy"]),
    (
        "weir-agent",
        &["weir-abi", "weir-api", "weir-core", "weir-datapath", "weir-detect", "weir-kube", "weir-policy", "weir-wire"],
    ),
    ("weir-console", &["weir-api", "weir-policy"]),
    ("weir-controller", &["weir-api", "weir-console", "weir-kube", "weir-policy"]),
    ("weir-cli", &["weir-abi", "weir-agent", "weir-api", "weir-console", "weir-policy", "weir-sim"]),
    ("weir-testkit", &["weir-abi", "weir-core", "weir-wire"]),
    ("weir-lab", &["weir-abi", "weir-api", "weir-datapath", "weir-policy", "weir-testkit", "weir-wire"]),
    ("weir-ebpf", &["weir-abi", "weir-core", "weir-wire"]),
    ("weir-lab-ebpf", &["weir-abi", "weir-core", "weir-wire"]),
    ("weir-fuzz", &["weir-abi", "weir-core", "weir-policy", "weir-sim", "weir-testkit", "weir-wire"]),
    ("xtask", &[]),
];

/// Crates that know a thing which the others must not: its name's beginning, and who may.
const KNOWERS: [(&str, &[&str]); 3] = [
    ("aya", &["weir-datapath", "weir-ebpf", "weir-lab-ebpf"]),
    ("kube", &["weir-api", "weir-kube", "weir-controller", "weir-agent", "weir-cli"]),
    ("k8s-openapi", &["weir-api", "weir-kube", "weir-controller", "weir-agent", "weir-cli"]),
];

/// The feature of weir-datapath that brings the traffic generator, and the one crate that may ask for it.
const TRAFFIC: (&str, &str) = ("traffic", "weir-lab");

/// Checks every manifest of the repository, the nested workspaces' too.
pub fn check(project: &Project) -> Result<Vec<Finding>> {
    let mut packages = metadata::own(project.cargo())?.packages;
    for workspace in project.nested_workspaces() {
        packages.extend(metadata::own(project.cargo_in(&workspace))?.packages);
    }
    let findings = packages.iter().flat_map(|package| {
        let file = package.manifest_path.strip_prefix(&project.root).unwrap_or(&package.manifest_path).to_owned();
        judge(package).into_iter().map(move |text| Finding::of(&file, text))
    });
    Ok(findings.collect())
}

/// What is wrong with one crate's dependencies.
fn judge(package: &Package) -> Vec<String> {
    let name = &*package.name;
    let Some((_, allowed)) = MAY_USE.iter().find(|(known, _)| *known == name) else {
        return vec![format!("{name} has no place in tidy's table of crate directions: give it one")];
    };
    let mut wrong = Vec::new();
    for dependency in &package.dependencies {
        wrong.extend(judge_dependency(name, allowed, dependency));
    }
    for (feature, enables) in &package.features {
        let traffic = format!("weir-datapath/{}", TRAFFIC.0);
        if name != TRAFFIC.1 && enables.iter().any(|enabled| enabled.replace('?', "") == traffic) {
            wrong.push(format!("feature `{feature}` enables {traffic}: only {} may", TRAFFIC.1));
        }
        if name == "weir-datapath" && feature == "default" && enables.iter().any(|enabled| enabled == TRAFFIC.0) {
            wrong.push(format!("`{}` is a default feature: it would ship the traffic generator", TRAFFIC.0));
        }
    }
    wrong
}

fn judge_dependency(name: &str, allowed: &[&str], dependency: &Dependency) -> Vec<String> {
    let target = &*dependency.name;
    let for_tests = dependency.kind.as_deref() == Some("dev");
    let mut wrong = Vec::new();
    let own = target.starts_with("weir-") || target == "xtask";
    // Tests may reach across the picture, for parity and for packets; only the lab, a program, is nobody's library.
    let banned_even_so = matches!(target, "weir-lab" | "weir-lab-ebpf" | "xtask");
    if own && (banned_even_so || !(for_tests || allowed.contains(&target))) {
        wrong.push(format!("{name} must not use {target}: the direction of crates (ARCHITECTURE.md) forbids it"));
    }
    for (thing, knowers) in KNOWERS {
        let is_thing = target == thing || target.strip_prefix(thing).is_some_and(|rest| rest.starts_with('-'));
        if is_thing && !knowers.contains(&name) {
            wrong.push(format!("{name} must not use {target}: only {} may", knowers.join(", ")));
        }
    }
    let traffic = target == "weir-datapath" && dependency.features.iter().any(|feature| feature == TRAFFIC.0);
    if traffic && !for_tests && name != TRAFFIC.1 {
        wrong.push(format!("{name} ships: it must not enable `{}` of weir-datapath", TRAFFIC.0));
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, dependencies: &[(&str, &str, &[&str])], features: &[(&str, &str)]) -> Package {
        let dependency = |(name, kind, features): &(&str, &str, &[&str])| Dependency {
            name: (*name).to_owned(),
            kind: Some((*kind).to_owned()).filter(|kind| !kind.is_empty()),
            features: features.iter().map(|feature| (*feature).to_owned()).collect(),
        };
        Package {
            name: name.to_owned(),
            dependencies: dependencies.iter().map(dependency).collect(),
            features: features
                .iter()
                .map(|(name, enables)| ((*name).to_owned(), vec![(*enables).to_owned()]))
                .collect(),
            ..Package::default()
        }
    }

    #[test]
    fn directions_hold() {
        assert!(judge(&package("weir-core", &[("weir-abi", "", &[]), ("weir-wire", "", &[])], &[])).is_empty());
        assert_eq!(judge(&package("weir-wire", &[("weir-abi", "", &[])], &[])).len(), 1);
        assert_eq!(judge(&package("weir-core", &[("weir-datapath", "build", &[])], &[])).len(), 1);
    }

    #[test]
    fn tests_may_reach_across_but_not_into_the_lab() {
        assert!(judge(&package("weir-sim", &[("weir-datapath", "dev", &["traffic"])], &[])).is_empty());
        assert_eq!(judge(&package("weir-sim", &[("weir-datapath", "", &[])], &[])).len(), 1);
        assert_eq!(judge(&package("weir-agent", &[("weir-lab", "dev", &[])], &[])).len(), 1);
    }

    #[test]
    fn only_knowers_know() {
        assert!(judge(&package("weir-datapath", &[("aya", "", &[])], &[])).is_empty());
        assert_eq!(judge(&package("weir-agent", &[("aya-obj", "", &[])], &[])).len(), 1);
        assert_eq!(judge(&package("weir-policy", &[("kube", "", &[])], &[])).len(), 1);
        assert!(judge(&package("weir-policy", &[("ayam", "", &[])], &[])).is_empty());
    }

    #[test]
    fn traffic_never_ships() {
        assert!(judge(&package("weir-lab", &[("weir-datapath", "", &["traffic"])], &[])).is_empty());
        assert_eq!(judge(&package("weir-agent", &[("weir-datapath", "", &["traffic"])], &[])).len(), 1);
        assert_eq!(judge(&package("weir-agent", &[], &[("x", "weir-datapath?/traffic")])).len(), 1);
        assert_eq!(judge(&package("weir-datapath", &[], &[("default", "traffic")])).len(), 1);
    }

    #[test]
    fn a_new_crate_must_find_its_place() {
        assert_eq!(judge(&package("weir-new", &[], &[])).len(), 1);
    }
}
