//! From a directory (or a file) to objects: everything is read before anything is used.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use weir_api::Object;
use weir_api::field::FieldPath;
use weir_api::problem::{Position, Problem, Severity};
use weir_api::spec::Cidr;
use weir_api::yaml::{self, Parsed};

use super::list;

/// The most YAML files of a directory.
const MAX_FILES: usize = 1024;

/// The raw text of a policy: all it takes to load it again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Texts {
    /// YAML files by name, in order.
    pub yaml: BTreeMap<String, String>,
    /// List files by the path that a `SourceSet` gives.
    pub lists: BTreeMap<String, String>,
}

/// A policy whose files could be read and understood one by one.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The objects of all files.
    pub objects: Vec<Parsed>,
    /// List files by the path that a `SourceSet` gives.
    pub lists: BTreeMap<String, Vec<Cidr>>,
    /// Where they came from.
    pub texts: Texts,
}

/// Reads `*.yaml` and `*.yml` of a directory, or one file, and the list files that its objects name.
pub fn load(path: &Path) -> Result<Loaded, Vec<Problem>> {
    let yaml = read_yaml(path).map_err(|problem| vec![problem])?;
    let base = if path.is_dir() { path } else { path.parent().unwrap_or(Path::new("")) };
    let shown = |file: &str| base.join(file).display().to_string();
    parse(yaml, shown, |file| read_limited(&base.join(file), list::MAX_BYTES))
}

impl Texts {
    /// The same from texts that were read before.
    pub fn load(self) -> Result<Loaded, Vec<Problem>> {
        let Texts { yaml, mut lists } = self;
        parse(yaml, str::to_owned, move |file| {
            lists.remove(file).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
        })
    }
}

fn parse(
    yaml: BTreeMap<String, String>,
    shown: impl Fn(&str) -> String,
    mut read_list: impl FnMut(&str) -> io::Result<String>,
) -> Result<Loaded, Vec<Problem>> {
    let mut loaded = Loaded::default();
    let mut problems = Vec::new();
    for (name, text) in &yaml {
        let (objects, wrong) = yaml::parse(name, text);
        loaded.objects.extend(objects);
        problems.extend(wrong);
    }
    for parsed in &loaded.objects {
        let Object::SourceSet(set) = &parsed.object else { continue };
        let Some(file) = &set.spec.file else { continue };
        if loaded.lists.contains_key(file) {
            continue;
        }
        match read_list(file) {
            Ok(text) => {
                match list::parse(&shown(file), &text) {
                    Ok(cidrs) => drop(loaded.lists.insert(file.clone(), cidrs)),
                    Err(wrong) => problems.extend(wrong),
                }
                loaded.texts.lists.insert(file.clone(), text);
            }
            Err(e) => {
                let at = FieldPath::spec().field("file");
                let message = format!("cannot read `{file}`: {e}; relative paths start at the policy directory");
                problems.push(parsed.origin.problem(Severity::Error, &at, message));
            }
        }
    }
    loaded.texts.yaml = yaml;
    if problems.is_empty() { Ok(loaded) } else { Err(problems) }
}

fn read_yaml(path: &Path) -> Result<BTreeMap<String, String>, Problem> {
    let refuse = |path: &Path, message: String| {
        let position = Position { file: path.display().to_string().into(), line: 0, column: 0 };
        Problem { severity: Severity::Error, position, field: String::new(), message }
    };
    let unreadable = |path: &Path, e: io::Error| refuse(path, format!("cannot be read: {e}"));
    let files = yaml_files(path).map_err(|e| unreadable(path, e))?;
    if files.len() > MAX_FILES {
        return Err(refuse(
            path,
            format!("holds more than {MAX_FILES} YAML files: join some, or name the right directory"),
        ));
    }
    let mut texts = BTreeMap::new();
    for file in files {
        let text = read_limited(&file, yaml::MAX_BYTES as u64).map_err(|e| unreadable(&file, e))?;
        texts.insert(file.display().to_string(), text);
    }
    Ok(texts)
}

/// The YAML files of a directory in the order of their names; a file stands for itself.
fn yaml_files(path: &Path) -> io::Result<Vec<PathBuf>> {
    if !fs::metadata(path)?.is_dir() {
        return Ok(vec![path.to_path_buf()]);
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(path)? {
        let file = entry?.path();
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let is_yaml = name.ends_with(".yaml") || name.ends_with(".yml");
        if is_yaml && !name.starts_with('.') && file.is_file() {
            files.push(file);
        }
    }
    files.sort();
    Ok(files)
}

fn read_limited(path: &Path, most: u64) -> io::Result<String> {
    let size = fs::metadata(path)?.len();
    if size > most {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("it is larger than {} MiB", most >> 20)));
    }
    fs::read_to_string(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SET: &str = "apiVersion: weir.dev/v1alpha1\nkind: SourceSet\nmetadata: {name: bad}\nspec: {file: bad.txt}\n";

    #[test]
    fn reads_a_directory_and_its_lists_and_can_do_so_again_from_the_texts() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a.yaml"), SET).unwrap();
        fs::write(dir.path().join(".b.yaml"), "not: [read").unwrap();
        fs::write(dir.path().join("c.txt"), "not read").unwrap();
        fs::write(dir.path().join("bad.txt"), "203.0.113.0/24\n").unwrap();
        let loaded = load(dir.path()).unwrap();
        assert_eq!((loaded.objects.len(), loaded.lists["bad.txt"].len()), (1, 1));
        let again = loaded.texts.clone().load().unwrap();
        assert_eq!(again.lists, loaded.lists);
        assert_eq!(again.texts, loaded.texts);
    }

    #[test]
    fn all_that_is_wrong_is_told_at_once() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a.yaml"), SET).unwrap();
        fs::write(dir.path().join("b.yml"), "kind: [\n").unwrap();
        let problems = load(dir.path()).unwrap_err();
        let shown: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert!(shown[0].contains("b.yml:1:7: "), "{shown:?}");
        assert!(shown[1].contains("a.yaml:4:14: spec.file: cannot read `bad.txt`"), "{shown:?}");
    }

    #[test]
    fn a_missing_directory_is_a_finding() {
        let problems = load(Path::new("/nonexistent/policy")).unwrap_err();
        assert!(problems[0].to_string().starts_with("/nonexistent/policy: cannot be read"), "{}", problems[0]);
    }
}
