//! Licences, duplicate versions and banned crates, by the rules of `deny.toml`: asked of cargo-deny where it is
//! installed, else checked here by the same file over `cargo metadata`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;

use super::{Finding, spdx};
use crate::metadata::{self, Package};
use crate::project::Project;
use crate::sh;

const FILE: &str = "deny.toml";

/// The part of cargo-deny's configuration that this project uses.
#[derive(Debug, Default, Deserialize)]
struct Rules {
    licenses: Licenses,
    bans: Bans,
}

#[derive(Debug, Default, Deserialize)]
struct Licenses {
    allow: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
struct Bans {
    #[serde(default)]
    deny: Vec<Entry>,
    #[serde(default)]
    skip: Vec<Entry>,
}

/// A crate, as `name` or `name@version` (any version that begins so), and why it stands here.
#[derive(Debug, Deserialize)]
struct Entry {
    #[serde(rename = "crate")]
    spec: String,
    #[serde(default)]
    reason: String,
}

impl Entry {
    fn matches(&self, package: &Package) -> bool {
        let (name, version) = self.spec.split_once('@').unwrap_or((&self.spec, ""));
        let rest = package.version.strip_prefix(version);
        name == package.name && rest.is_some_and(|rest| version.is_empty() || rest.is_empty() || rest.starts_with('.'))
    }
}

/// Checks the workspace and the kernel programs'.
pub fn check(project: &Project) -> Result<Vec<Finding>> {
    let text = fs::read_to_string(project.root.join(FILE)).context("cannot read deny.toml")?;
    let rules: Rules = toml::from_str(&text).context("deny.toml is not understood")?;
    let mut found = without_reason(&rules);
    if sh::which("cargo-deny").is_some() {
        // Advisories are left out: they come by network and change without any change here.
        if !sh::succeeds(project.cargo().args(["deny", "check", "bans", "licenses", "sources"]))? {
            found.push(Finding::of(FILE, "`cargo deny check` found something: its words stand above"));
        }
        return Ok(found);
    }
    let mut packages = metadata::all(project.cargo())?.packages;
    found.extend(judge(&rules, &packages, Path::new("Cargo.lock")));
    found.extend(unused(&rules, &packages));
    let kernel = project.root.join("ebpf");
    if kernel.join("Cargo.toml").is_file() {
        packages = metadata::all(project.cargo_in(&kernel))?.packages;
        found.extend(judge(&rules, &packages, Path::new("ebpf/Cargo.lock")));
    }
    Ok(found)
}

/// Every exception has its sentence.
fn without_reason(rules: &Rules) -> Vec<Finding> {
    let entries = rules.bans.deny.iter().chain(&rules.bans.skip);
    let silent = entries.filter(|entry| entry.reason.trim().is_empty());
    silent.map(|entry| Finding::of(FILE, format!("`{}` has no reason", entry.spec))).collect()
}

/// An exception that nothing needs any more should go.
fn unused(rules: &Rules, packages: &[Package]) -> Vec<Finding> {
    let idle = rules.bans.skip.iter().filter(|entry| !packages.iter().any(|package| entry.matches(package)));
    idle.map(|entry| Finding::of(FILE, format!("the exception for `{}` is no longer needed", entry.spec)).warning())
        .collect()
}

fn judge(rules: &Rules, packages: &[Package], lock: &Path) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut versions = BTreeMap::<&str, BTreeSet<&str>>::new();
    for package in packages {
        let Package { name, version, .. } = package;
        let licence = package.license.as_deref().unwrap_or_default();
        if !spdx::allowed(licence, |one| rules.licenses.allow.iter().any(|allowed| allowed == one)) {
            found.push(Finding::of(lock, format!("{name} {version}: licence `{licence}` is not on deny.toml's list")));
        }
        if let Some(ban) = rules.bans.deny.iter().find(|entry| entry.matches(package)) {
            found.push(Finding::of(lock, format!("{name} {version} is banned: {}", ban.reason)));
        }
        if package.source.is_some() && !rules.bans.skip.iter().any(|entry| entry.matches(package)) {
            versions.entry(name).or_default().insert(version);
        }
    }
    for (name, versions) in versions.into_iter().filter(|(_, versions)| versions.len() > 1) {
        let list = versions.into_iter().collect::<Vec<_>>().join(", ");
        found.push(Finding::of(
            lock,
            format!("{name} is there in several versions ({list}): agree on one, or add one to `skip` in deny.toml"),
        ));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, version: &str, license: &str) -> Package {
        Package {
            name: name.to_owned(),
            version: version.to_owned(),
            license: Some(license.to_owned()),
            source: Some("registry".to_owned()),
            ..Package::default()
        }
    }

    fn rules() -> Rules {
        toml::from_str(
            r#"
            [licenses]
            allow = ["MIT"]
            [bans]
            deny = [{ crate = "openssl-sys", reason = "rustls is the one TLS here" }]
            skip = [{ crate = "hashbrown@0.15", reason = "an old indexmap" }, { crate = "gone" }]
            "#,
        )
        .unwrap()
    }

    fn texts(packages: &[Package]) -> Vec<String> {
        judge(&rules(), packages, Path::new("Cargo.lock")).iter().map(|finding| finding.text.clone()).collect()
    }

    #[test]
    fn licences_and_bans_are_judged() {
        assert!(texts(&[package("a", "1.0.0", "MIT OR GPL-3.0")]).is_empty());
        assert_eq!(
            texts(&[package("a", "1.0.0", "GPL-3.0")]),
            ["a 1.0.0: licence `GPL-3.0` is not on deny.toml's list"]
        );
        assert_eq!(
            texts(&[package("openssl-sys", "0.9.1", "MIT")]),
            ["openssl-sys 0.9.1 is banned: rustls is the one TLS here"]
        );
    }

    #[test]
    fn a_duplicate_is_found_unless_it_is_excepted() {
        let two = [package("a", "1.0.0", "MIT"), package("a", "2.0.0", "MIT")];
        assert!(texts(&two)[0].starts_with("a is there in several versions (1.0.0, 2.0.0)"));
        assert!(texts(&[package("hashbrown", "0.15.2", "MIT"), package("hashbrown", "0.16.0", "MIT")]).is_empty());
        assert_eq!(texts(&[package("hashbrown", "0.1.0", "MIT"), package("hashbrown", "0.16.0", "MIT")]).len(), 1);
    }

    #[test]
    fn exceptions_have_reasons_and_uses() {
        assert_eq!(without_reason(&rules())[0].text, "`gone` has no reason");
        let idle = unused(&rules(), &[package("hashbrown", "0.15.2", "MIT")]);
        assert_eq!(idle.len(), 1);
        assert!(idle[0].warning && idle[0].text.contains("`gone`"));
    }
}
