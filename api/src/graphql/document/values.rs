//! The few values that decide what a document asks for: conditions, sizes of pages, and how many ids there are.

use std::cell::RefCell;

use async_graphql::{
    Name, Variables,
    indexmap::IndexSet,
    parser::types::{OperationDefinition, VariableDefinition},
};
use async_graphql_value::{ConstValue, Number, Value};

/// The values of an operation's variables, else their defaults. Nothing of them is copied: a list may be long.
#[derive(Debug)]
pub struct Values<'a> {
    variables: &'a Variables,
    operation: &'a OperationDefinition,
    told: RefCell<IndexSet<(Name, Told)>>,
}

/// What was told of a variable: a question and its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Told {
    /// Whether it is true.
    True(bool),
    /// The whole number from 0 of 32 bits that it is.
    Number(Option<u64>),
    /// How many items it has as a list.
    Length(Option<u64>),
    /// Whether it has no value.
    Missing(bool),
    /// Whether it is null.
    Null(bool),
    /// Whether it is null where nothing may be.
    ForbiddenNull(bool),
}

impl<'a> Values<'a> {
    /// Of an operation.
    pub fn of(operation: &'a OperationDefinition, variables: &'a Variables) -> Self {
        Self { variables, operation, told: RefCell::default() }
    }

    /// All that was told of variables so far: with other values of which the same is told, all comes out the same.
    pub fn told(self) -> Vec<(Name, Told)> {
        self.told.into_inner().into_iter().collect()
    }

    /// Whether the same is told of these values as of others.
    pub fn agree(&self, told: &[(Name, Told)]) -> bool {
        told.iter().all(|(name, told)| self.answer(name, *told) == *told)
    }

    /// Whether a condition holds.
    pub fn is_true(&self, value: &Value) -> bool {
        match value {
            Value::Boolean(is) => *is,
            Value::Variable(name) => matches!(self.ask(name, Told::True(true)), Told::True(true)),
            _ => false,
        }
    }

    /// A whole number from 0 of 32 bits; any other is no size of a page, and validation says so.
    pub fn number(&self, value: &Value) -> Option<u64> {
        match value {
            Value::Number(number) => of_32_bits(number),
            Value::Variable(name) => match self.ask(name, Told::Number(None)) {
                Told::Number(number) => number,
                _ => None,
            },
            _ => None,
        }
    }

    /// How many items a list has. A value that is none stands for a list of itself alone (the specification, 3.11).
    pub fn length(&self, value: &Value) -> Option<u64> {
        match value {
            Value::Null => None,
            Value::List(items) => Some(items.len() as u64),
            Value::Variable(name) => match self.ask(name, Told::Length(None)) {
                Told::Length(length) => length,
                _ => None,
            },
            _ => Some(1),
        }
    }

    /// Whether it is a variable that has none.
    pub fn is_missing(&self, value: &Value) -> bool {
        matches!(value, Value::Variable(name) if self.ask(name, Told::Missing(true)) == Told::Missing(true))
    }

    /// Whether it is null.
    pub fn is_null(&self, value: &Value) -> bool {
        match value {
            Value::Null => true,
            Value::Variable(name) => self.ask(name, Told::Null(true)) == Told::Null(true),
            _ => false,
        }
    }

    /// Whether it is a variable that was given as null where nothing may be null: as it has a default, it may stand there
    /// (the specification, 5.8.5). Of other variables a null is refused with all wrong values.
    pub fn is_forbidden_null(&self, value: &Value) -> bool {
        matches!(value, Value::Variable(name)
            if self.ask(name, Told::ForbiddenNull(true)) == Told::ForbiddenNull(true))
    }

    fn ask(&self, name: &Name, question: Told) -> Told {
        let told = self.answer(name, question);
        self.told.borrow_mut().insert((name.clone(), told));
        told
    }

    /// Answers a question; what stands in it as an answer does not matter.
    fn answer(&self, name: &Name, question: Told) -> Told {
        let value = self.variable(name);
        match question {
            Told::True(_) => Told::True(matches!(value, Some(ConstValue::Boolean(true)))),
            Told::Number(_) => Told::Number(match value {
                Some(ConstValue::Number(number)) => of_32_bits(number),
                _ => None,
            }),
            Told::Length(_) => Told::Length(match value {
                None | Some(ConstValue::Null) => None,
                Some(ConstValue::List(items)) => Some(items.len() as u64),
                Some(_) => Some(1),
            }),
            Told::Missing(_) => Told::Missing(value.is_none()),
            Told::Null(_) => Told::Null(matches!(value, Some(ConstValue::Null))),
            Told::ForbiddenNull(_) => Told::ForbiddenNull(
                self.variables.get(name) == Some(&ConstValue::Null)
                    && self.definition(name).is_some_and(|it| it.var_type.node.nullable && it.default_value.is_some()),
            ),
        }
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

fn of_32_bits(number: &Number) -> Option<u64> {
    number.as_u64().filter(|number| i32::try_from(*number).is_ok())
}
