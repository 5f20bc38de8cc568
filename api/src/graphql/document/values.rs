//! The few values that decide what a document asks for: conditions, sizes of pages, and how many ids there are.

use async_graphql::{
    Variables,
    parser::types::{OperationDefinition, VariableDefinition},
};
use async_graphql_value::{ConstValue, Value};

/// The values of an operation's variables, else their defaults. Nothing of them is copied: a list may be long.
#[derive(Debug, Clone, Copy)]
pub struct Values<'a> {
    variables: &'a Variables,
    operation: &'a OperationDefinition,
}

impl<'a> Values<'a> {
    /// Of an operation.
    pub const fn of(operation: &'a OperationDefinition, variables: &'a Variables) -> Self {
        Self { variables, operation }
    }

    /// Whether a condition holds.
    pub fn is_true(&self, value: &Value) -> bool {
        match value {
            Value::Boolean(is) => *is,
            Value::Variable(name) => matches!(self.variable(name), Some(ConstValue::Boolean(true))),
            _ => false,
        }
    }

    /// A whole number from 0 of 32 bits; any other is no size of a page, and validation says so.
    pub fn number(&self, value: &Value) -> Option<u64> {
        let number = match value {
            Value::Number(number) => number,
            Value::Variable(name) => match self.variable(name)? {
                ConstValue::Number(number) => number,
                _ => return None,
            },
            _ => return None,
        };
        number.as_u64().filter(|number| i32::try_from(*number).is_ok())
    }

    /// How many items a list has. A value that is none stands for a list of itself alone (the specification, 3.11).
    pub fn length(&self, value: &Value) -> Option<u64> {
        match value {
            Value::Null => None,
            Value::List(items) => Some(items.len() as u64),
            Value::Variable(name) => match self.variable(name)? {
                ConstValue::Null => None,
                ConstValue::List(items) => Some(items.len() as u64),
                _ => Some(1),
            },
            _ => Some(1),
        }
    }

    /// Whether it is a variable that has none.
    pub fn is_missing(&self, value: &Value) -> bool {
        matches!(value, Value::Variable(name) if self.variable(name).is_none())
    }

    /// Whether it is null.
    pub fn is_null(&self, value: &Value) -> bool {
        match value {
            Value::Null => true,
            Value::Variable(name) => matches!(self.variable(name), Some(ConstValue::Null)),
            _ => false,
        }
    }

    /// Whether it is a variable that was given as null where nothing may be null: as it has a default, it may stand there
    /// (the specification, 5.8.5). Of other variables a null is refused with all wrong values.
    pub fn is_forbidden_null(&self, value: &Value) -> bool {
        let Value::Variable(name) = value else { return false };
        self.variables.get(name) == Some(&ConstValue::Null)
            && self.definition(name).is_some_and(|it| it.var_type.node.nullable && it.default_value.is_some())
    }

    fn variable(&self, name: &str) -> Option<&'a ConstValue> {
        // The library's own `default_value()` makes up a null for a variable that may be null.
        let default = || self.definition(name)?.default_value.as_ref().map(|default| &default.node);
        self.variables.get(name).or_else(default)
    }

    fn definition(&self, name: &str) -> Option<&'a VariableDefinition> {
        let definitions = &self.operation.variable_definitions;
        definitions.iter().map(|definition| &definition.node).find(|definition| definition.name.node == name)
    }
}
