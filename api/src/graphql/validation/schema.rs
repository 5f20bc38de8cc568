//! What the rules ask of the schema.

use std::collections::{HashMap, HashSet};

use async_graphql::{
    Name,
    parser::{
        parse_schema,
        types::{BaseType, InputValueDefinition, Type, TypeKind, TypeSystemDefinition},
    },
};

/// Not in the library's own document.
const INTROSPECTION: &str = include_str!("introspection.graphql");

/// A place for a value: an argument, or a field of an input object.
#[derive(Debug)]
pub struct Place {
    /// What may stand there.
    pub ty: Type,
    /// Whether it may be left out although its type is not nullable.
    pub has_default: bool,
}

/// Places by name.
pub type Places = HashMap<Name, Place>;

/// A field of an object or interface.
#[derive(Debug)]
pub struct Field {
    /// What it gives.
    pub ty: Type,
    /// Its arguments.
    pub arguments: Places,
}

/// Types by name.
#[derive(Debug, Default)]
pub struct Schema {
    /// Fields of objects and interfaces.
    pub fields: HashMap<Name, HashMap<Name, Field>>,
    /// Those of them that are interfaces.
    pub interfaces: HashSet<Name>,
    /// Input objects.
    pub inputs: HashMap<Name, Places>,
    /// Those of them that take exactly one of their fields.
    pub one_of: HashSet<Name>,
    /// Values of enums.
    pub enums: HashMap<Name, Vec<Name>>,
}

impl Schema {
    /// Reads the schema's own document, and the types of introspection.
    pub fn new(sdl: &str) -> Self {
        let mut schema = Self::default();
        schema.read(sdl);
        schema.read(INTROSPECTION);
        schema
    }

    fn read(&mut self, sdl: &str) {
        let Ok(document) = parse_schema(sdl) else { return };
        for definition in document.definitions {
            let TypeSystemDefinition::Type(definition) = definition else { continue };
            let name = definition.node.name.node;
            let fields = match definition.node.kind {
                TypeKind::Object(object) => object.fields,
                TypeKind::Interface(interface) => {
                    self.interfaces.insert(name.clone());
                    interface.fields
                }
                TypeKind::Enum(values) => {
                    let values = values.values.into_iter().map(|value| value.node.value.node);
                    self.enums.insert(name, values.collect());
                    continue;
                }
                TypeKind::InputObject(object) => {
                    if definition.node.directives.iter().any(|directive| directive.node.name.node == "oneOf") {
                        self.one_of.insert(name.clone());
                    }
                    self.inputs.insert(name, places(object.fields.into_iter().map(|field| field.node)));
                    continue;
                }
                TypeKind::Scalar | TypeKind::Union(_) => continue,
            };
            let fields = fields.into_iter().map(|field| {
                let arguments = places(field.node.arguments.into_iter().map(|argument| argument.node));
                (field.node.name.node, Field { ty: field.node.ty.node, arguments })
            });
            self.fields.entry(name).or_default().extend(fields);
        }
    }

    /// A field of a type; `None` for `__typename`, whose type graphql-js compares with no other either.
    pub fn field(&self, on: Option<&Name>, field: &Name) -> Option<&Field> {
        self.fields.get(on?)?.get(field)
    }
}

fn places(definitions: impl Iterator<Item = InputValueDefinition>) -> Places {
    let place = |definition: InputValueDefinition| {
        (definition.name.node, Place { ty: definition.ty.node, has_default: definition.default_value.is_some() })
    };
    definitions.map(place).collect()
}

/// The name inside lists.
pub fn named(ty: &Type) -> &Name {
    match &ty.base {
        BaseType::Named(name) => name,
        BaseType::List(inner) => named(inner),
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::Name;

    use super::Schema;

    #[test]
    fn introspection_is_known_too() {
        let schema = Schema::new("type Query { a: Int }");
        let field = |on: &str, field: &str| {
            schema.field(Some(&Name::new(on)), &Name::new(field)).map(|field| field.ty.to_string())
        };
        assert_eq!(field("Query", "a").as_deref(), Some("Int"));
        assert_eq!(field("Query", "__type").as_deref(), Some("__Type"));
        assert_eq!(field("__Type", "fields").as_deref(), Some("[__Field!]"));
        assert_eq!(field("Query", "b"), None);
    }
}
