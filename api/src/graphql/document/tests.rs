//! What is told of a document without expanding it is what a document says that was expanded by hand.

use std::{fmt::Write as _, sync::LazyLock};

use async_graphql::{Variables, parser::parse_query};
use proptest::prelude::*;
use serde_json::json;

use super::{exceeded::Limit, *};

const SDL: &str = "
    type Query { leaf: Int one: Query many: [Query!]! page(first: Int, last: Int): QueryConnection of(ids: [ID!]!): [Query]! any: Any }
    type QueryConnection { total: Int nodes: [Query!]! }
    interface Any { leaf: Int one: Query }
    type A implements Any { leaf: Int one: Query }
    type B implements Any { leaf: Int one: Query }";

/// What comes under one key: the field and its size, and all selections in it with the places where they stand.
type Key<'a> = (String, &'static str, u64, Vec<(isize, &'a [Item])>);

static TYPES: LazyLock<Types> = LazyLock::new(|| Types::new(SDL));

/// What may be selected. Fields are known by their names: `one`, `many`, `page` and `of` of [`SDL`].
#[derive(Debug, Clone)]
enum Item {
    Field { name: &'static str, alias: Option<u8>, size: u8, inside: Vec<Item> },
    Inline(Vec<Item>),
    Spread(prop::sample::Index),
}

/// A document: its operation, and fragments that spread those after them.
#[derive(Debug, Clone)]
struct Document {
    operation: Vec<Item>,
    fragments: Vec<Vec<Item>>,
}

fn item() -> impl Strategy<Value = Item> {
    let alias = || prop::option::of(0_u8..4);
    let leaf = prop_oneof![
        3 => alias().prop_map(|alias| Item::Field { name: "leaf", alias, size: 0, inside: Vec::new() }),
        2 => any::<prop::sample::Index>().prop_map(Item::Spread),
    ];
    leaf.prop_recursive(4, 24, 4, move |item| {
        let inside = || prop::collection::vec(item.clone(), 1..4);
        let names = prop::sample::select(vec!["one", "many", "page", "of"]);
        prop_oneof![
            3 => (names, alias(), 0_u8..5, inside())
                .prop_map(|(name, alias, size, inside)| Item::Field { name, alias, size, inside }),
            1 => inside().prop_map(Item::Inline),
        ]
    })
}

fn document() -> impl Strategy<Value = Document> {
    let set = || prop::collection::vec(item(), 1..4);
    (set(), prop::collection::vec(set(), 0..4)).prop_map(|(operation, fragments)| Document { operation, fragments })
}

impl Document {
    /// The fragment that a spread in the one at `place` names (-1: the operation); none after the last.
    fn named(&self, place: isize, index: prop::sample::Index) -> Option<usize> {
        let after = usize::try_from(place + 1).unwrap();
        (after < self.fragments.len()).then(|| after + index.index(self.fragments.len() - after))
    }

    fn text(&self) -> String {
        let mut text = format!("query($size: Int = 7) {}", self.set(-1, &self.operation));
        for (place, set) in self.fragments.iter().enumerate() {
            write!(text, " fragment F{place} on Query {}", self.set(place.cast_signed(), set))
                .expect("a String takes all");
        }
        text
    }

    fn set(&self, place: isize, set: &[Item]) -> String {
        let items = set.iter().map(|item| match item {
            Item::Spread(index) => match self.named(place, *index) {
                Some(fragment) => format!("...F{fragment}"),
                None => "leaf".to_owned(),
            },
            Item::Inline(inside) => format!("... on Query {}", self.set(place, inside)),
            Item::Field { name, alias, size, inside } => {
                let key = alias.map_or_else(String::new, |alias| format!("{name}{alias}: "));
                let inside = if inside.is_empty() { String::new() } else { self.set(place, inside) };
                match *name {
                    // Some by number, some by variable, some by its default, some without any.
                    "page" => match size {
                        0 => format!("{key}page {{ total nodes {inside} }}"),
                        1 => format!("{key}page(first: $given) {{ total nodes {inside} }}"),
                        2 => format!("{key}page(last: $size) {{ total nodes {inside} }}"),
                        size => format!("{key}page(first: {size}) {{ total nodes {inside} }}"),
                    },
                    "of" => format!("{key}of(ids: {:?}) {inside}", vec!["x"; usize::from(*size)]),
                    name => format!("{key}{name} {inside}"),
                }
            }
        });
        format!("{{ {} }}", items.collect::<Vec<_>>().join(" "))
    }

    /// Fields, aliases and levels of fields, each fragment followed wherever it stands.
    fn count(&self, place: isize, set: &[Item]) -> (u64, u64, usize) {
        let mut all = (0, 0, 0);
        for item in set {
            let (own, inside) = match item {
                Item::Spread(index) => match self.named(place, *index) {
                    Some(fragment) => ((1, 0, 0), self.count(fragment.cast_signed(), &self.fragments[fragment])),
                    None => ((1, 0, 1), (0, 0, 0)),
                },
                Item::Inline(inside) => ((1, 0, 0), self.count(place, inside)),
                Item::Field { name, alias, inside, .. } => {
                    // A page has two fields of its own.
                    let (fields, levels) = if *name == "page" { (3, 2) } else { (1, 1) };
                    ((fields, u64::from(alias.is_some()), levels), self.count(place, inside))
                }
            };
            all = (all.0 + own.0 + inside.0, all.1 + own.1 + inside.1, all.2.max(own.2 + inside.2));
        }
        all
    }

    /// The cost of selections that come under one key: each field once, with all that is selected in it anywhere.
    fn cost(&self, sets: &[(isize, &[Item])]) -> u64 {
        let mut keys: Vec<Key<'_>> = Vec::new();
        for (place, set) in sets {
            self.flatten(*place, set, &mut keys);
        }
        keys.iter()
            .map(|(_, name, size, inside)| {
                let inside = || self.cost(inside);
                match *name {
                    "leaf" => 1,
                    "one" => 1 + inside(),
                    "many" => 1 + 10 * inside(),
                    "of" => 1 + size * inside(),
                    // `total`, and `nodes` with what is in it.
                    _ => 1 + [20, 3, 7, 3, 4][usize::try_from(*size).unwrap()] * (2 + inside()),
                }
            })
            .sum()
    }

    fn flatten<'a>(&'a self, place: isize, set: &'a [Item], keys: &mut Vec<Key<'a>>) {
        for item in set {
            let (name, alias, size, inside) = match item {
                Item::Field { name, alias, size, inside } => (*name, *alias, u64::from(*size), inside.as_slice()),
                Item::Inline(inside) => {
                    self.flatten(place, inside, keys);
                    continue;
                }
                Item::Spread(index) => match self.named(place, *index) {
                    Some(fragment) => {
                        self.flatten(fragment.cast_signed(), &self.fragments[fragment], keys);
                        continue;
                    }
                    None => ("leaf", None, 0, [].as_slice()),
                },
            };
            let key = alias.map_or_else(|| name.to_owned(), |alias| format!("{name}{alias}"));
            match keys.iter_mut().find(|(known, ..)| *known == key) {
                Some((.., sets)) => sets.push((place, inside)),
                None => keys.push((key, name, size, vec![(place, inside)])),
            }
        }
    }
}

const WIDE: DocumentLimits = DocumentLimits {
    bytes: usize::MAX,
    tokens: usize::MAX,
    directives: usize::MAX,
    fields: 1_000_000,
    depth: usize::MAX,
    aliases: usize::MAX,
    root_fields: usize::MAX,
    cost: u64::MAX,
};

fn prepared(text: &str, limits: &DocumentLimits) -> Result<Prepared, Unprepared> {
    let variables = Variables::from_json(json!({ "given": 3 }));
    prepare(&parse_query(text).expect("a document"), None, &variables, &TYPES, limits)
}

/// What a document has of something, told by refusing it.
fn found(text: &str, limit: Limit, limits: &DocumentLimits) -> u64 {
    match prepared(text, limits) {
        Err(Unprepared::Exceeded(exceeded)) => {
            assert_eq!(exceeded.limit, limit, "{text}");
            exceeded.found
        }
        Ok(_) => 0,
        Err(other) => panic!("{text}: {other}"),
    }
}

proptest! {
    #[test]
    fn a_document_weighs_and_costs_what_it_does_expanded(document in document()) {
        let text = document.text();
        let (fields, aliases, depth) = document.count(-1, &document.operation);
        prop_assert_eq!(prepared(&text, &WIDE).expect("within").cost, document.cost(&[(-1, &document.operation)]), "{}", text);
        prop_assert_eq!(found(&text, Limit::Fields, &DocumentLimits { fields: 0, ..WIDE }), fields, "{}", text);
        // A fragment that is not used counts for itself.
        let weigh = |place: usize| document.count(place.cast_signed(), &document.fragments[place]);
        let each = || (0..document.fragments.len()).map(weigh);
        let known = |own: u64, mut others: Box<dyn Iterator<Item = u64>>| {
            if own > 0 { vec![own] } else { others.find(|other| *other > 0).into_iter().collect() }
        };
        let others = Box::new(each().map(|(_, aliases, _)| aliases).collect::<Vec<_>>().into_iter());
        let told = found(&text, Limit::Aliases, &DocumentLimits { aliases: 0, ..WIDE });
        prop_assert_eq!(told, known(aliases, others).first().copied().unwrap_or_default(), "{}", text);
        prop_assert_eq!(found(&text, Limit::Depth, &DocumentLimits { depth: 0, ..WIDE }), depth as u64, "{}", text);
    }
}

#[test]
fn lists_cost_what_may_be_in_them() {
    for (text, cost) in [
        ("{ leaf }", 1),
        ("{ leaf leaf ...F } fragment F on Query { leaf leaf }", 1),
        ("{ page(first: 100) { nodes { leaf } } }", 1 + 100 * 2),
        ("{ page(first: 100000) { nodes { leaf } } }", 1 + 100_000 * 2),
        ("{ page(last: 5) { nodes { leaf } total } }", 1 + 5 * 3),
        ("{ page(first: null, last: 5) { total } }", 1 + 5),
        ("{ page(first: 0) { nodes { leaf } } }", 1),
        ("{ page { total } }", 1 + 20),
        ("{ page(first: -1) { total } }", 1 + 20),
        ("{ page(first: 2147483648) { total } }", 1 + 20),
        ("query($n: Int = 4) { page(first: $n) { total } }", 1 + 4),
        ("query($given: Int = 4) { page(first: $given) { total } }", 1 + 3),
        ("query($n: Int) { page(first: $n) { total } }", 1 + 20),
        ("{ many { leaf } }", 1 + 10),
        ("{ many { many { leaf } } }", 1 + 10 * (1 + 10)),
        ("{ page(first: 2) { nodes { many { leaf } } } }", 1 + 2 * (1 + 1 + 10)),
        ("{ of(ids: [\"a\", \"b\"]) { leaf many { leaf } } }", 1 + 2 * (1 + 1 + 10)),
        ("{ of(ids: []) { leaf } }", 1),
        ("query($ids: [ID!]! = [1, 2, 3]) { of(ids: $ids) { leaf } }", 1 + 3),
        ("{ of(ids: \"a\") { leaf } }", 1 + 1),
        // Of an interface's types the dearest.
        ("{ any { leaf ... on A { one { leaf } } ... on B { b: leaf } } }", 1 + 3),
        ("query($yes: Boolean = true) { leaf one @skip(if: $yes) { leaf } }", 1),
        ("query($no: Boolean = false) { leaf one @include(if: $no) { leaf } }", 1),
        // The schema is a list of types like any other.
        ("{ __schema { types { fields { name } } } }", 1 + 1 + 10 * (1 + 10)),
        ("{ __schema { types { fields { args { name } } } } }", 1 + 1 + 10 * (1 + 10 * (1 + 3))),
        ("{ __type(name: \"A\") { name ofType { name } } }", 1 + 3),
    ] {
        assert_eq!(prepared(text, &WIDE).expect(text).cost, cost, "{text}");
    }
    // Nothing overflows.
    let text = format!("{}leaf{}", "{ page(first: 2147483647) { nodes".repeat(4) + "{", "}".repeat(9));
    assert_eq!(prepared(&text, &WIDE).expect("wide").cost, u64::MAX);
    let limits = DocumentLimits { cost: 50_000, ..WIDE };
    assert_eq!(found(&text, Limit::Cost, &limits), (1 << 53) - 1);
}

#[test]
fn each_operation_and_each_fragment_counts() {
    let limits = DocumentLimits { aliases: 2, depth: 3, fields: 20, root_fields: 2, ..WIDE };
    for (text, limit) in [
        ("query A { leaf } query B { a: leaf b: leaf c: leaf }", Limit::Aliases),
        ("query A { leaf } fragment F on Query { a: leaf b: leaf c: leaf }", Limit::Aliases),
        ("{ ...F ...F } fragment F on Query { a: leaf b: leaf }", Limit::Aliases),
        ("query A { leaf } query B { one { one { one { leaf } } } }", Limit::Depth),
        ("{ one { one { ...F } } } fragment F on Query { one { leaf } }", Limit::Depth),
        (
            "query A { ...F } query B { ...F } query C { ...F } fragment F on Query { leaf leaf leaf leaf leaf leaf leaf }",
            Limit::Fields,
        ),
        ("{ leaf @a @b @c @d @e @f @g @h @i @j @k @l @m @n @o @p @q @r @s @t }", Limit::Fields),
        ("{ leaf a: leaf ...F } fragment F on Query { one { leaf } }", Limit::RootFields),
    ] {
        let document = parse_query(text).expect(text);
        let name = text.starts_with("query A").then_some("A");
        let outcome = prepare(&document, name, &Variables::default(), &TYPES, &limits);
        assert!(
            matches!(outcome, Err(Unprepared::Exceeded(exceeded)) if exceeded.limit == limit),
            "{text}: {outcome:?}"
        );
    }
    for text in [
        "{ a: leaf b: leaf a: leaf @skip(if: true) }".replace("a: leaf @", "leaf @"),
        // One field, however often it is written.
        "{ leaf leaf leaf ...F } fragment F on Query { leaf one { one { leaf } } }".to_owned(),
        "{ leaf one { leaf } many @skip(if: true) { leaf } }".to_owned(),
    ] {
        assert!(prepared(&text, &limits).is_ok(), "{text}");
    }
}
