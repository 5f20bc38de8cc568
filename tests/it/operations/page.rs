//! Reads a page of metrics by the rules of `OpenMetrics` 1.0, and refuses one that breaks them.

use std::collections::{BTreeMap, BTreeSet};

/// A page, read.
pub struct Page(BTreeMap<String, f64>);

/// Whether a sample may have this name in a family of this type.
fn belongs(name: &str, family: &str, kind: &str) -> bool {
    name.strip_prefix(family).is_some_and(|end| match kind {
        "gauge" => end.is_empty(),
        "counter" => end == "_total",
        "histogram" => ["_bucket", "_sum", "_count"].contains(&end),
        _ => false,
    })
}

impl Page {
    pub fn read(text: &str) -> Self {
        let mut samples = BTreeMap::new();
        let (mut helped, mut family, mut kind) = (BTreeSet::new(), String::new(), String::new());
        let mut lines = text.strip_suffix("# EOF\n").expect("an end").lines();
        for line in lines.by_ref() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, help) = rest.split_once(' ').expect(line);
                assert!(help.len() > 3 && name.starts_with("joblink_"), "{line}");
                assert!(helped.insert(name.to_owned()), "twice: {line}");
                family = name.to_owned();
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, of) = rest.split_once(' ').expect(line);
                assert_eq!(name, family, "its help goes before");
                kind = of.to_owned();
            } else {
                let (series, value) = line.rsplit_once(' ').expect(line);
                let name = series.split('{').next().unwrap();
                assert!(belongs(name, &family, &kind), "{line} in {family}, a {kind}");
                assert!(!series.contains('{') || series.ends_with('}'), "{line}");
                assert!(samples.insert(series.to_owned(), value.parse().expect(line)).is_none(), "twice: {line}");
            }
        }
        Self(samples)
    }

    /// The sample of this name and these labels, as they stand in the page.
    pub fn value(&self, series: &str) -> f64 {
        *self.0.get(series).unwrap_or_else(|| panic!("no {series} in {:#?}", self.0))
    }

    /// The same; 0 where there is none.
    pub fn or_none(&self, series: &str) -> f64 {
        self.0.get(series).copied().unwrap_or_default()
    }

    pub fn series(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}
