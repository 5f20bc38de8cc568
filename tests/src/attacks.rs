//! Requests that ask too much: small to send, and without limits the work of hours or the end of the server.

use std::fmt::Write as _;

use serde_json::{Value, json};

/// A request, and what becomes of it.
#[derive(Debug, Clone)]
pub struct Attack {
    pub name: &'static str,
    /// The body of the request.
    pub body: String,
    /// The code of its refusal; empty where it is within the limits and answered.
    pub code: &'static str,
    /// The limit that refuses it, where one does.
    pub limit: &'static str,
}

/// All that are known. Many have mistakes that validation would find: they are refused before it.
pub fn attacks() -> Vec<Attack> {
    let mut all = floods();
    all.extend(fragments());
    all.extend(texts());
    all.extend(values());
    all
}

fn attack(name: &'static str, outcome: &'static str, document: impl Into<String>) -> Attack {
    with_variables(name, outcome, document, &json!({}))
}

/// `outcome`: a code, or the name of a limit.
fn with_variables(name: &'static str, outcome: &'static str, document: impl Into<String>, variables: &Value) -> Attack {
    let body = json!({ "query": document.into(), "variables": variables }).to_string();
    let (code, limit) = match outcome {
        "bytes" | "tokens" => ("DOCUMENT_TOO_LARGE", outcome),
        limit if limit.starts_with(|char: char| char.is_ascii_lowercase()) => ("QUERY_TOO_COMPLEX", limit),
        code => (code, ""),
    };
    Attack { name, body, code, limit }
}

/// Much of one thing.
fn floods() -> Vec<Attack> {
    let many = |count: usize, one: &dyn Fn(usize) -> String| (0..count).map(one).collect::<String>();
    let deep = |levels: usize| format!("{{ nothing {}{} }}", "{ a ".repeat(levels), "}".repeat(levels));
    let batch = vec![json!({ "query": "{ __typename }" }); 1_000];
    let operations = many(1_900, &|at| format!("query A{at} {{ __typename }} "));
    let heavy = format!("fragment F on Query {{ {} }}", "__typename ".repeat(5_000));
    vec![
        attack("5,000 aliases", "tokens", format!("{{ {} }}", many(5_000, &|at| format!("a{at}: nothing ")))),
        attack("3,000 aliases", "aliases", format!("{{ {} }}", many(3_000, &|at| format!("a{at}: nothing ")))),
        attack("21 root fields", "rootFields", format!("{{ {} }}", many(21, &|at| format!("a{at}: nothing ")))),
        attack("2,000 directives", "directives", format!("{{ __typename {} }}", "@a ".repeat(2_000))),
        attack(
            "2,000 directives with arguments",
            "tokens",
            format!("{{ __typename {} }}", "@skip(if: false) ".repeat(2_000)),
        ),
        attack("depth 20,000", "tokens", deep(20_000)),
        attack("depth 1,000", "nesting", deep(1_000)),
        attack("depth 16", "depth", deep(15)),
        attack("50,000 repeated fields", "tokens", format!("{{ jobs {{ nodes {{ {} }} }} }}", "id ".repeat(50_000))),
        attack("9,900 repeated fields", "", format!("{{ jobs {{ nodes {{ {} }} }} }}", "id ".repeat(9_900))),
        attack("10,000 overlapping fields", "tokens", format!("{{ {} }}", "jobs { nodes { id } } ".repeat(10_000))),
        attack("1,400 overlapping fields", "", format!("{{ {} }}", "jobs { nodes { id } } ".repeat(1_400))),
        attack(
            "1,100 conflicting fields",
            "GRAPHQL_VALIDATION_FAILED",
            format!("{{ {} }}", many(1_100, &|at| format!("job(id: {at}) {{ id }} "))),
        ),
        attack(
            "9,900 unknown fields",
            "GRAPHQL_VALIDATION_FAILED",
            format!("{{ jobs(first: 1) {{ nodes {{ {} }} }} }}", many(9_900, &|at| format!("originalFilename{at} "))),
        ),
        attack("10,000 operations", "tokens", many(10_000, &|at| format!("query A{at} {{ a b }} "))),
        attack("1,900 operations", "GRAPHQL_VALIDATION_FAILED", operations),
        attack(
            "700 operations of one large fragment",
            "fields",
            format!("{heavy} {}", many(700, &|at| format!("query A{at} {{ ...F }} "))),
        ),
        attack(
            "2,400 variables that are not used",
            "GRAPHQL_VALIDATION_FAILED",
            format!("query({}) {{ __typename }}", many(2_400, &|at| format!("$a{at}: Int "))),
        ),
        attack(
            "2,000 times the same argument",
            "GRAPHQL_VALIDATION_FAILED",
            format!("{{ jobs({}) {{ totalCount }} }}", "first: 1 ".repeat(2_000)),
        ),
        Attack { name: "a batch of 1,000", body: json!(batch).to_string(), code: "BAD_REQUEST", limit: "" },
    ]
}

/// A chain of fragments that each spread the next one so often.
fn bomb(fragments: usize, spreads: usize) -> String {
    let mut document = String::from("{ jobs { nodes { ...F0 } } }");
    for place in 0..fragments {
        let next = if place + 1 < fragments { format!("...F{} ", place + 1) } else { "id ".to_owned() };
        write!(document, " fragment F{place} on Job {{ {} }}", next.repeat(spreads)).unwrap();
    }
    document
}

fn fragments() -> Vec<Attack> {
    let head = "{ jobs { nodes { ...F0 } } }".len();
    // Each fragment has all that those after it have, in different objects of an interface.
    let mut branching = String::from("{ job(id: 1) { ...F0 } }");
    for place in 0..4 {
        let next = if place < 3 { format!("...F{}", place + 1) } else { "id ".repeat(700) };
        let job = format!("job {{ {next} }}");
        write!(branching, " fragment F{place} on Job {{ predictions(first: 0) {{ nodes {{ ... on AnnualPrediction {{ {job} }} ... on QuarterlyPrediction {{ {job} }} }} }} }}").unwrap();
    }
    let unused: String = (0..1_200).map(|at| format!("fragment F{at} on Job {{ id }} ")).collect();
    let (open, close) = ("{ fields { type".repeat(5), "} }".repeat(5));
    let schema = format!("{{ __schema {{ types {open} {{ name }} {close} }} }}");
    let mut chain = String::from("{ jobs(first: 1) { nodes { ...F0 } } }");
    for place in 0..80 {
        let next = if place < 79 { format!("...F{}", place + 1) } else { String::new() };
        write!(chain, " fragment F{place} on Job {{ {} {next} }}", "id ".repeat(100)).unwrap();
    }
    vec![
        attack("10 fragments x 10 spreads", "fields", bomb(10, 10)),
        attack("the same, which nobody uses", "fields", format!("{{ __typename }} {}", &bomb(10, 10)[head..])),
        attack(
            "the same, in another operation",
            "fields",
            format!("query A {} query B {{ __typename }}", bomb(10, 10)),
        ),
        attack(
            "aliases in fragments",
            "aliases",
            format!(
                "{{ {} }} fragment F on Query {{ {} }}",
                "...F ".repeat(10),
                (0..11).map(|at| format!("a{at}: nothing ")).collect::<String>()
            ),
        ),
        attack("a chain of 1,200 fragments", "nesting", bomb(1_200, 1)),
        attack("80 long fragments, one in the other", "", chain),
        attack("1,200 unused fragments", "GRAPHQL_VALIDATION_FAILED", format!("{{ __typename }} {unused}")),
        attack(
            "circular fragments",
            "GRAPHQL_VALIDATION_FAILED",
            "{ ...F } fragment F on Query { ...G ...G } fragment G on Query { ...F ...F }",
        ),
        attack(
            "a fragment in itself 1,000 times",
            "GRAPHQL_VALIDATION_FAILED",
            format!("{{ ...F }} fragment F on Query {{ {} }}", "...F ".repeat(1_000)),
        ),
        attack("spreads in interfaces in interfaces", "fields", branching),
        attack("the schema of the schema", "cost", schema),
    ]
}

/// What is hard to read.
fn texts() -> Vec<Attack> {
    let long = |length: usize| "x".repeat(length);
    vec![
        attack("a document of 256,001 bytes", "bytes", format!("{{ __typename }} #{}", long(256_001 - 16))),
        attack("a comment of 250,000 bytes", "", format!("{{ __typename }} #{}", long(250_000))),
        attack("250,000 spaces", "", format!("{{ __typename {} }}", " ".repeat(250_000))),
        attack(
            "250,000 spaces in all places",
            "",
            format!("{{ {}}}", format!("job{0}({0}id{0}:{0}1{0}){0}{{{0}id{0}}}{0}", " ".repeat(50)).repeat(500)),
        ),
        attack("a name of 250,000 bytes", "GRAPHQL_VALIDATION_FAILED", format!("{{ {} }}", long(250_000))),
        attack(
            "500 names of 500 bytes",
            "GRAPHQL_VALIDATION_FAILED",
            format!("{{ {} }}", format!("{} ", long(500)).repeat(500)),
        ),
        attack("a string of 250,000 bytes", "", format!("{{ job(id: \"{}\") {{ id }} }}", long(250_000))),
        attack(
            "a block string of 125,000 lines",
            "",
            format!("{{ job(id: \"\"\"{}x\"\"\") {{ id }} }}", " \n".repeat(125_000)),
        ),
        attack(
            "a number of 250,000 digits",
            "GRAPHQL_PARSE_FAILED",
            format!("{{ jobs(first: {}) {{ totalCount }} }}", "9".repeat(250_000)),
        ),
        attack("a number beyond all bounds", "GRAPHQL_PARSE_FAILED", "{ jobs(first: 1e999999999) { totalCount } }"),
        attack(
            "brackets behind a string without an end",
            "tokens",
            format!("{{ job(id: [\"\"\"x\" {}", "[".repeat(200_000)),
        ),
        attack(
            "5,000 brackets behind a string without an end",
            "nesting",
            format!("{{ job(id: [\"\"\"x\" {}", "[".repeat(5_000)),
        ),
        attack(
            "lists in lists",
            "nesting",
            format!("{{ job(id: {}{}) {{ id }} }}", "[".repeat(4_000), "]".repeat(4_000)),
        ),
        attack(
            "objects in objects",
            "nesting",
            format!("{{ job(id: {}1{}) {{ id }} }}", "{a: ".repeat(2_000), "}".repeat(2_000)),
        ),
        attack(
            "types of lists of lists",
            "nesting",
            format!("query($a: {}Int{}) {{ __typename }}", "[".repeat(4_000), "]".repeat(4_000)),
        ),
    ]
}

/// What lies in values rather than in the document.
fn values() -> Vec<Attack> {
    let ids = json!({ "ids": vec!["x"; 100_000] });
    let nodes: String = (0..20).map(|at| format!("a{at}: nodes(ids: $ids) {{ id }} ")).collect();
    let page = "query($n: Int = 100000) { jobs(first: $n) { nodes { id } } }";
    let list = |depth: usize| {
        let value = format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        format!("{{\"query\":\"query($id: ID!) {{ job(id: $id) {{ id }} }}\",\"variables\":{{\"id\":{value}}}}}")
    };
    vec![
        attack("first: 100000", "cost", "{ jobs(first: 100000) { nodes { id } } }"),
        attack("first: 100000 in a variable's default", "cost", page),
        with_variables("first: 100000 in a variable", "cost", page, &json!({ "n": 100_000 })),
        attack(
            "pages in pages in pages",
            "cost",
            "{ jobs(first: 100) { nodes { predictions(first: 100) { nodes { job { predictions(first: 100) { nodes { id } } } } } } } }",
        ),
        with_variables("100,000 ids", "cost", "query($ids: [ID!]!) { nodes(ids: $ids) { id } }", &ids),
        with_variables("100,000 ids, 20 times", "cost", format!("query($ids: [ID!]!) {{ {nodes} }}"), &ids),
        with_variables(
            "a number beyond all bounds in a variable",
            "BAD_USER_INPUT",
            "query($n: Int) { jobs(first: $n) { totalCount } }",
            &json!({ "n": 1e300 }),
        ),
        Attack { name: "lists in lists in a variable", body: list(100), code: "BAD_USER_INPUT", limit: "" },
        Attack { name: "100,000 lists in lists in a variable", body: list(100_000), code: "BAD_REQUEST", limit: "" },
    ]
}
