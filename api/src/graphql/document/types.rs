//! What the schema says of object types and interfaces, as far as preparing a document needs it.

use std::collections::HashMap;

use async_graphql::{
    Name,
    parser::{
        parse_schema,
        types::{BaseType, Type, TypeKind, TypeSystemDefinition},
    },
};

/// How the names of the types end that are pages of a list.
const CONNECTION: &str = "Connection";

/// How many items a list counts of which nothing says how long it is, like the artifacts of a job.
const ITEMS: u64 = 10;

/// The lists of the schema itself that have few items, and how many these count: with ten in each, the question that GraphiQL
/// asks would cost several times what its answer has.
const SHORT: [&str; 5] = ["args", "directives", "enumValues", "inputFields", "interfaces"];
const FEW: u64 = 3;

/// The types by which a schema describes itself (the specification's chapter 4.2), as far as they have objects inside.
const INTROSPECTION: &str = "
    type __Root { __schema: __Schema! __type: __Type }
    type __Schema {
        types: [__Type!]! queryType: __Type! mutationType: __Type subscriptionType: __Type directives: [__Directive!]!
    }
    type __Type {
        fields: [__Field!] interfaces: [__Type!] possibleTypes: [__Type!] enumValues: [__EnumValue!]
        inputFields: [__InputValue!] ofType: __Type
    }
    type __Field { args: [__InputValue!]! type: __Type! }
    type __InputValue { type: __Type! }
    type __EnumValue { name: String! }
    type __Directive { args: [__InputValue!]! }";

/// What a field gives.
#[derive(Debug, Clone)]
pub struct Gives {
    /// The type, without lists.
    pub ty: Name,
    /// How many items its list counts where nothing says how long it is; `None`: it is no list.
    pub items: Option<u64>,
    /// Whether it is a page of a list.
    pub is_page: bool,
}

/// Object types and interfaces by name.
#[derive(Debug, Default)]
pub struct Types {
    fields: HashMap<Name, HashMap<Name, Gives>>,
    /// The object types of each interface, in the order of their names.
    possible: HashMap<Name, Vec<Name>>,
}

impl Types {
    /// Reads them from the schema's own document.
    pub fn new(sdl: &str) -> Self {
        let mut types = Self::default();
        types.read(sdl);
        types.read(INTROSPECTION);
        let own = types.fields.iter_mut().filter(|(name, _)| name.starts_with("__")).flat_map(|(_, fields)| fields);
        for (_, gives) in own.filter(|(name, _)| SHORT.contains(&name.as_str())) {
            gives.items = Some(FEW);
        }
        if let Some(root) = types.fields.remove("__Root") {
            types.fields.entry(Name::new("Query")).or_default().extend(root);
        }
        for possible in types.possible.values_mut() {
            possible.sort();
        }
        types
    }

    fn read(&mut self, sdl: &str) {
        let Ok(document) = parse_schema(sdl) else { return };
        for definition in document.definitions {
            let TypeSystemDefinition::Type(definition) = definition else { continue };
            let name = definition.node.name.node;
            let fields = match definition.node.kind {
                TypeKind::Object(object) => {
                    for interface in object.implements {
                        self.possible.entry(interface.node).or_default().push(name.clone());
                    }
                    object.fields
                }
                TypeKind::Interface(interface) => {
                    self.possible.entry(name.clone()).or_default();
                    interface.fields
                }
                _ => continue,
            };
            let of = fields.into_iter().map(|field| (field.node.name.node, gives(&field.node.ty.node)));
            self.fields.insert(name, of.collect());
        }
    }

    /// What a field of a type gives; `None` where there is no such type or field.
    pub fn field(&self, on: &Name, field: &Name) -> Option<&Gives> {
        self.fields.get(on)?.get(field)
    }

    /// The object types of an interface; `None` for any other type.
    pub fn possible(&self, interface: &Name) -> Option<&[Name]> {
        self.possible.get(interface).map(Vec::as_slice)
    }

    /// Whether a fragment with this condition counts on an object type. On one that is not known all do.
    pub fn applies(&self, object: &Name, condition: &Name) -> bool {
        object == condition
            || !self.fields.contains_key(object)
            || self.possible(condition).is_some_and(|possible| possible.contains(object))
    }
}

fn gives(ty: &Type) -> Gives {
    match &ty.base {
        BaseType::Named(name) => Gives { ty: name.clone(), items: None, is_page: name.ends_with(CONNECTION) },
        BaseType::List(inner) => Gives { items: Some(ITEMS), ..gives(inner) },
    }
}
