//! What the rules ask of the schema.

use std::collections::{HashMap, HashSet};

use async_graphql::{
    Name,
    parser::{
        parse_schema,
        types::{BaseType, InputValueDefinition, Type, TypeKind, TypeSystemDefinition},
    },
};

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
    /// Reads the schema's own document.
    pub fn new(sdl: &str) -> Self {
        let mut schema = Self::default();
        let Ok(document) = parse_schema(sdl) else { return schema };
        for definition in document.definitions {
            let TypeSystemDefinition::Type(definition) = definition else { continue };
            let name = definition.node.name.node;
            let fields = match definition.node.kind {
                TypeKind::Object(object) => object.fields,
                TypeKind::Interface(interface) => {
                    schema.interfaces.insert(name.clone());
                    interface.fields
                }
                TypeKind::Enum(values) => {
                    let values = values.values.into_iter().map(|value| value.node.value.node);
                    schema.enums.insert(name, values.collect());
                    continue;
                }
                TypeKind::InputObject(object) => {
                    if definition.node.directives.iter().any(|directive| directive.node.name.node == "oneOf") {
                        schema.one_of.insert(name.clone());
                    }
                    schema.inputs.insert(name, places(object.fields.into_iter().map(|field| field.node)));
                    continue;
                }
                TypeKind::Scalar | TypeKind::Union(_) => continue,
            };
            let fields = fields.into_iter().map(|field| {
                let arguments = places(field.node.arguments.into_iter().map(|argument| argument.node));
                (field.node.name.node, Field { ty: field.node.ty.node, arguments })
            });
            schema.fields.insert(name, fields.collect());
        }
        schema
    }

    /// A field of a type; `None` for those of introspection.
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
