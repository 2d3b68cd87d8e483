//! Whatever stands in a file: an answer, never a panic, and always a place within the file.

use proptest::prelude::*;
use weir_api::yaml::parse;

const GOOD: &str = "apiVersion: weir.dev/v1alpha1\nkind: Protection\nmetadata: {name: shop}\nspec:\n  target:\n    addresses: [{ip: 192.0.2.80, port: 443}]\n  limits: {perSource: {packets: {average: 2k, period: 1s}}}\n  deny:\n    - cidr: 203.0.113.0/24\n---\napiVersion: weir.dev/v1alpha1\nkind: Block\nmetadata: {name: b}\nspec: {cidr: 203.0.113.7, expires: 2026-01-01T00:00:00Z}\n";

fn check(text: &str) -> Result<(), TestCaseError> {
    let lines = text.lines().count() as u64 + 1;
    for problem in parse("p.yaml", text).1 {
        prop_assert!(problem.position.line <= lines, "{problem} in {lines} lines\n{text}");
        prop_assert!(!problem.message.is_empty());
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_text_is_answered(text in "\\PC{0,200}|[a-z:\\-\\[\\]{}&*!|>'\"%@`#,? \\n\\t]{0,200}") {
        check(&text)?;
    }

    #[test]
    fn damaged_objects_are_answered(at in 0..GOOD.len(), cut in 0..20usize, put in "[ -~\\n]{0,6}") {
        let end = (at + cut).min(GOOD.len());
        check(&format!("{}{put}{}", &GOOD[..at], &GOOD[end..]))?;
    }
}
