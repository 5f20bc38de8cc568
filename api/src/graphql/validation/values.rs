//! Values where they stand: literals of the right type, variables of a type that fits, and variables' own values.

use std::collections::HashSet;

use async_graphql::{
    Name, Pos, Positioned, ScalarType, ServerError, Value as Known, Variables,
    parser::types::{
        BaseType, Directive, ExecutableDocument, OperationDefinition, OperationType, Selection, SelectionSet, Type,
        VariableDefinition,
    },
};
use async_graphql_value::Value;

use super::{
    error, root,
    schema::{Places, Schema, named},
};
use crate::graphql::scalars::{ByteCount, DateTime, Decimal};

/// Checks the values of one operation and of the fragments that it uses.
pub struct Uses<'a> {
    schema: &'a Schema,
    document: &'a ExecutableDocument,
    operation: &'a OperationDefinition,
    visited: HashSet<&'a Name>,
    used: HashSet<Name>,
    broken: Vec<ServerError>,
}

impl<'a> Uses<'a> {
    /// For an operation.
    pub fn new(schema: &'a Schema, document: &'a ExecutableDocument, operation: &'a OperationDefinition) -> Self {
        Self { schema, document, operation, visited: HashSet::new(), used: HashSet::new(), broken: Vec::new() }
    }

    /// What it breaks.
    pub fn broken(mut self) -> Vec<ServerError> {
        for variable in &self.operation.variable_definitions {
            if let Some(default) = &variable.node.default_value {
                let value = default.node.clone().into_value();
                self.literal(&value, &variable.node.var_type.node, default.pos);
            }
        }
        let on = Name::new(root(self.operation.ty));
        self.selections(Some(&on), &self.operation.selection_set.node);
        for variable in &self.operation.variable_definitions {
            let name = &variable.node.name.node;
            if !self.used.contains(name) {
                self.broken.push(error(format!("Variable \"${name}\" is not used."), [variable.pos]));
            }
        }
        self.broken
    }

    fn selections(&mut self, on: Option<&Name>, set: &'a SelectionSet) {
        for item in &set.items {
            self.directives(item.node.directives());
            match &item.node {
                Selection::Field(field) => {
                    let known = self.schema.field(on, &field.node.name.node);
                    if let Some(known) = known {
                        self.arguments(&field.node.arguments, &known.arguments);
                    }
                    self.selections(known.map(|known| named(&known.ty)), &field.node.selection_set.node);
                }
                Selection::InlineFragment(fragment) => {
                    let condition = fragment.node.type_condition.as_ref().map(|condition| &condition.node.on.node);
                    self.selections(condition.or(on), &fragment.node.selection_set.node);
                }
                Selection::FragmentSpread(spread) => {
                    let name = &spread.node.fragment_name.node;
                    if let Some(fragment) = self.document.fragments.get(name)
                        && self.visited.insert(name)
                    {
                        let on = &fragment.node.type_condition.node.on.node;
                        self.selections(Some(on), &fragment.node.selection_set.node);
                    }
                }
            }
        }
    }

    fn arguments(&mut self, given: &'a [(Positioned<Name>, Positioned<Value>)], places: &Places) {
        for (name, value) in given {
            if let Some(place) = places.get(&name.node) {
                self.value(&value.node, &place.ty, place.has_default, value.pos);
            }
        }
    }

    /// `@skip` and `@include` are the only directives of documents; both take `if: Boolean!`.
    fn directives(&mut self, directives: &'a [Positioned<Directive>]) {
        for directive in directives {
            if let (Some(value), Some(ty)) = (directive.node.get_argument("if"), Type::new("Boolean!")) {
                self.value(&value.node, &ty, false, value.pos);
            }
        }
    }

    fn value(&mut self, value: &Value, ty: &Type, has_default: bool, at: Pos) {
        let Value::Variable(name) = value else { return self.literal(value, ty, at) };
        self.used.insert(name.clone());
        let variable = self.operation.variable_definitions.iter().find(|variable| variable.node.name.node == *name);
        let Some(variable) = variable else {
            return self.broken.push(error(format!("Variable \"${name}\" is not defined."), [at]));
        };
        if !fits(&variable.node, ty, has_default) {
            let is = &variable.node.var_type.node;
            let message = format!("Variable \"${name}\" of type \"{is}\" is used where \"{ty}\" is expected.");
            self.broken.push(error(message, [variable.pos, at]));
        }
    }

    fn literal(&mut self, value: &Value, ty: &Type, at: Pos) {
        let name = match (&ty.base, value) {
            (_, Value::Null) => return,
            (BaseType::List(inner), Value::List(items)) => {
                return items.iter().for_each(|item| self.value(item, inner, false, at));
            }
            (BaseType::List(inner), value) => return self.literal(value, inner, at),
            (BaseType::Named(name), _) => name,
        };
        let right = if let Some(places) = self.schema.inputs.get(name) {
            let Value::Object(fields) = value else { return self.expected(name.as_ref(), at) };
            for (field, value) in fields {
                if let Some(place) = places.get(field) {
                    self.value(value, &place.ty, place.has_default, at);
                }
            }
            true
        } else if self.schema.enums.contains_key(name) {
            matches!(value, Value::Enum(_))
        } else {
            value.clone().into_const().is_none_or(|value| is_scalar(name, &value, self.operation.ty))
        };
        if !right {
            self.expected(name, at);
        }
    }

    fn expected(&mut self, name: &str, at: Pos) {
        let message = match self.schema.enums.get(name) {
            Some(values) => format!("One of {} is expected here.", list(values)),
            None => format!("A value of type \"{name}\" is expected here{}.", hint(name)),
        };
        self.broken.push(error(message, [at]));
    }
}

/// Whether a variable may stand in a place (the specification's IsVariableUsageAllowed, 5.8.5).
fn fits(variable: &VariableDefinition, place: &Type, has_default: bool) -> bool {
    let is = &variable.var_type.node;
    let never_null = variable.default_value.as_ref().is_some_and(|default| default.node != Known::Null);
    if !place.nullable && is.nullable {
        return (never_null || has_default) && is_a(is, &Type { nullable: true, ..place.clone() });
    }
    is_a(is, place)
}

fn is_a(is: &Type, wanted: &Type) -> bool {
    (wanted.nullable || !is.nullable)
        && match (&is.base, &wanted.base) {
            (BaseType::Named(is), BaseType::Named(wanted)) => is == wanted,
            (BaseType::List(is), BaseType::List(wanted)) => is_a(is, wanted),
            _ => false,
        }
}

/// Variables whose values are not of their types.
pub fn wrong(schema: &Schema, operation: &OperationDefinition, variables: &Variables) -> Vec<ServerError> {
    let mut wrong = Vec::new();
    for variable in &operation.variable_definitions {
        let (name, ty) = (&variable.node.name.node, &variable.node.var_type.node);
        let fault = match variables.get(name) {
            Some(value) => fault(schema, operation.ty, value, ty),
            None if ty.nullable || variable.node.default_value.is_some() => None,
            None => Some(Fault { path: String::new(), why: format!("a value of type \"{ty}\" is required") }),
        };
        if let Some(Fault { path, why }) = fault {
            wrong.push(error(format!("Variable \"${name}{path}\" is wrong: {why}."), [variable.pos]));
        }
    }
    wrong
}

/// What is wrong with a value, and where in it.
struct Fault {
    path: String,
    why: String,
}

fn fault(schema: &Schema, of: OperationType, value: &Known, ty: &Type) -> Option<Fault> {
    let here = |why: String| Some(Fault { path: String::new(), why });
    let within = |step: String, fault: Option<Fault>| {
        fault.map(|fault| Fault { path: format!("{step}{}", fault.path), why: fault.why })
    };
    let name = match (&ty.base, value) {
        (_, Known::Null) if ty.nullable => return None,
        (_, Known::Null) => return here("null is not allowed".to_owned()),
        (BaseType::List(inner), Known::List(items)) => {
            let mut items = items.iter().enumerate();
            return items.find_map(|(place, item)| within(format!(".{place}"), fault(schema, of, item, inner)));
        }
        (BaseType::List(inner), value) => return fault(schema, of, value, inner),
        (BaseType::Named(name), _) => name,
    };
    let expected = || here(format!("a value of type \"{name}\" is expected{}", hint(name)));
    if let Some(places) = schema.inputs.get(name) {
        let Known::Object(fields) = value else { return expected() };
        if let Some(stranger) = fields.keys().find(|field| !places.contains_key(*field)) {
            return here(format!("type \"{name}\" has no field \"{stranger}\""));
        }
        if schema.one_of.contains(name) && (fields.len() != 1 || fields.values().any(|value| *value == Known::Null)) {
            return here(format!("exactly one field of \"{name}\" must be given, and not null"));
        }
        return places.iter().find_map(|(field, place)| match fields.get(field) {
            Some(value) => within(format!(".{field}"), fault(schema, of, value, &place.ty)),
            None if place.ty.nullable || place.has_default => None,
            None => here(format!("its field \"{field}\" is required")),
        });
    }
    let right = match (schema.enums.get(name), value) {
        (Some(values), Known::String(text)) => values.iter().any(|value| value == text.as_str()),
        (Some(_), _) => false,
        (None, value) => is_scalar(name, value, of),
    };
    match schema.enums.get(name) {
        _ if right => None,
        Some(values) => here(format!("one of {} is expected", list(values))),
        None => expected(),
    }
}

fn is_scalar(name: &Name, value: &Known, of: OperationType) -> bool {
    match (name.as_str(), value) {
        ("Int", Known::Number(number)) => number.as_i64().is_some_and(|number| i32::try_from(number).is_ok()),
        ("Float", Known::Number(_)) | ("Boolean", Known::Boolean(_)) | ("ID", Known::String(_)) => true,
        // PostgreSQL has no text with a NUL, so there is nothing to find. What would be stored is refused by the rooms.
        ("String", Known::String(text)) => of != OperationType::Query || !text.contains('\0'),
        ("ID", Known::Number(number)) => number.is_i64() || number.is_u64(),
        ("Int" | "Float" | "String" | "Boolean" | "ID", _) => false,
        ("DateTime", value) => DateTime::parse(value.clone()).is_ok(),
        ("ByteCount", value) => ByteCount::parse(value.clone()).is_ok(),
        ("Decimal", value) => Decimal::parse(value.clone()).is_ok(),
        // An upload is judged where it is used: a part of the request may be missing.
        _ => true,
    }
}

fn list(values: &[Name]) -> String {
    values.iter().map(Name::as_str).collect::<Vec<_>>().join(", ")
}

/// How a value of a scalar is written, where the name does not say it all.
fn hint(name: &str) -> &'static str {
    match name {
        "Int" => ", a whole number of 32 bits",
        "String" => ", a text without NUL characters",
        "DateTime" => ", like \"2026-03-05T09:47:23Z\"",
        "Decimal" => ", like \"0.0239\"",
        _ => "",
    }
}
