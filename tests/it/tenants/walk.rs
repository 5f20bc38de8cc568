//! Every place of the contract that takes an id, as root fields that can be asked: found in the schema itself.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tests::World;

/// Stands for the id in the text of a field. As long as an id.
pub const ID: &str = "00000000-0000-0000-0000-~~~~~~~~~~~~";
/// How deep an input may stand in another one.
const DEEPEST_INPUT: usize = 5;
/// How deep the selection goes below a root field.
const DEEPEST_FIELD: usize = 2;
/// Root fields of one document, below what the server takes.
const FIELDS: usize = 8;

/// What the server says of its types.
pub struct Schema {
    types: BTreeMap<String, Value>,
    roots: BTreeMap<&'static str, String>,
}

impl Schema {
    /// Asks for it.
    pub async fn of(world: &World) -> Self {
        let ty = "type { kind name ofType { kind name ofType { kind name ofType { kind name } } } }";
        let query = format!(
            "{{ __schema {{ queryType {{ name }} mutationType {{ name }} subscriptionType {{ name }}
            types {{ kind name fields {{ name {ty} args {{ name {ty} }} }} inputFields {{ name {ty} }} enumValues {{ name }} }} }} }}"
        );
        let schema = world.data(&query, json!({})).await["__schema"].take();
        let types = list(&schema["types"]).into_iter().map(|it| (text(&it["name"]), it)).collect();
        let roots = ["query", "mutation", "subscription"];
        let roots = roots.into_iter().map(|root| (root, text(&schema[format!("{root}Type")]["name"]))).collect();
        Self { types, roots }
    }

    /// The fields of a root, by name.
    pub fn names(&self, root: &str) -> Vec<String> {
        list(&self.types[&self.roots[root]]["fields"]).iter().map(|field| text(&field["name"])).collect()
    }

    /// The root fields of an operation, once for each place in their arguments that takes an id, with [`ID`] there.
    pub fn places(&self, root: &str) -> Vec<String> {
        let mut places = Vec::new();
        for field in list(&self.types[&self.roots[root]]["fields"]) {
            let arguments = list(&field["args"]);
            for one in &arguments {
                for value in self.values_with_an_id(&one["type"], 0) {
                    let others = arguments.iter().filter(|other| other["name"] != one["name"]);
                    let others = others.filter_map(|other| self.required(other));
                    let given = std::iter::once(format!("{}: {value}", text(&one["name"]))).chain(others);
                    let given = given.collect::<Vec<_>>().join(", ");
                    let selection = self.selection(&field["type"], 0).unwrap_or_default();
                    places.push(format!("{}({given}) {selection}", text(&field["name"])));
                }
            }
        }
        places
    }

    /// Documents that ask all these fields, some at a time.
    pub fn documents(&self, root: &str) -> Vec<String> {
        let places = self.places(root);
        let some = places.chunks(FIELDS).map(|some| {
            let fields = some.iter().enumerate().map(|(place, field)| format!("f{place}: {field}"));
            format!("{root} {{ {} }}", fields.collect::<Vec<_>>().join("\n"))
        });
        some.collect()
    }

    /// Fields below the roots that take an id: there is no path to them here.
    pub fn deeper_places(&self) -> Vec<String> {
        let mut found = Vec::new();
        for (name, ty) in self.types.iter().filter(|(name, _)| !self.roots.values().any(|root| root == *name)) {
            for field in list(&ty["fields"]) {
                if list(&field["args"]).iter().any(|one| !self.values_with_an_id(&one["type"], 0).is_empty()) {
                    found.push(format!("{name}.{}", text(&field["name"])));
                }
            }
        }
        found
    }

    /// The values of a type with an id in one place; in what else they need too.
    fn values_with_an_id(&self, ty: &Value, depth: usize) -> Vec<String> {
        if depth > DEEPEST_INPUT {
            return Vec::new();
        }
        match ty["kind"].as_str().unwrap() {
            "NON_NULL" => self.values_with_an_id(&ty["ofType"], depth),
            "LIST" => {
                self.values_with_an_id(&ty["ofType"], depth).into_iter().map(|value| format!("[{value}]")).collect()
            }
            "SCALAR" if ty["name"] == "ID" => vec![format!("\"{ID}\"")],
            "INPUT_OBJECT" => {
                let fields = list(&self.types[&text(&ty["name"])]["inputFields"]);
                let mut values = Vec::new();
                for one in &fields {
                    for value in self.values_with_an_id(&one["type"], depth + 1) {
                        let others = fields.iter().filter(|other| other["name"] != one["name"]);
                        let others = others.filter_map(|other| self.required(other));
                        let all = std::iter::once(format!("{}: {value}", text(&one["name"]))).chain(others);
                        values.push(format!("{{{}}}", all.collect::<Vec<_>>().join(", ")));
                    }
                }
                values
            }
            _ => Vec::new(),
        }
    }

    /// An argument or input field that must be given, with some value.
    fn required(&self, one: &Value) -> Option<String> {
        (one["type"]["kind"] == "NON_NULL").then(|| format!("{}: {}", text(&one["name"]), self.some(&one["type"])))
    }

    fn some(&self, ty: &Value) -> String {
        match ty["kind"].as_str().unwrap() {
            "NON_NULL" => self.some(&ty["ofType"]),
            "LIST" => format!("[{}]", self.some(&ty["ofType"])),
            "ENUM" => text(&list(&self.types[&text(&ty["name"])]["enumValues"])[0]["name"]),
            "INPUT_OBJECT" => {
                let fields = list(&self.types[&text(&ty["name"])]["inputFields"]);
                let given: Vec<_> = fields.iter().filter_map(|field| self.required(field)).collect();
                format!("{{{}}}", given.join(", "))
            }
            _ => match ty["name"].as_str().unwrap() {
                "ID" => format!("\"{ID}\""),
                "Int" => "1".to_owned(),
                "Boolean" => "true".to_owned(),
                "DateTime" => "\"2026-01-02T03:04:05Z\"".to_owned(),
                "Duration" => "\"7d\"".to_owned(),
                _ => "\"some\"".to_owned(),
            },
        }
    }

    /// Everything that can be asked of a type, some levels deep; `None` where there is nothing.
    fn selection(&self, ty: &Value, depth: usize) -> Option<String> {
        let name = named(ty);
        let ty = &self.types[&name];
        let mut fields = vec!["__typename".to_owned()];
        match ty["kind"].as_str().unwrap() {
            "SCALAR" | "ENUM" => return None,
            _ if depth > DEEPEST_FIELD => {}
            _ => {
                for field in list(&ty["fields"]) {
                    let of = named(&field["type"]);
                    let leaf = ["SCALAR", "ENUM"].contains(&self.types[&of]["kind"].as_str().unwrap());
                    // Lists in lists grow beyond what a document may ask, and edges hold what nodes do.
                    let again = depth > 0 && of.ends_with("Connection") || of.ends_with("Edge");
                    if list(&field["args"]).iter().any(|one| one["type"]["kind"] == "NON_NULL") || again {
                        continue;
                    }
                    let below = if leaf { String::new() } else { self.selection(&field["type"], depth + 1)? };
                    fields.push(format!("{} {below}", text(&field["name"])));
                }
            }
        }
        Some(format!("{{ {} }}", fields.join(" ")))
    }
}

fn named(ty: &Value) -> String {
    if ty["ofType"].is_null() { text(&ty["name"]) } else { named(&ty["ofType"]) }
}

fn list(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_default()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
