//! A subscription, by server-sent events
//! (<https://github.com/enisdenjo/graphql-sse/blob/master/PROTOCOL.md>, "Distinct connections mode").

use std::{marker::PhantomData, time::Duration};

use graphql_client::GraphQLQuery;
use reqwest::{Response, header};
use tokio::time::timeout;

use crate::{Error, Server};

/// The longest silence: the server says every few seconds that it is there.
const SILENCE: Duration = Duration::from_secs(90);
/// The longest event, in bytes.
const LONGEST: usize = 4_000_000;

/// What happens, as it happens.
#[derive(Debug)]
pub struct Events<Q> {
    server: Server,
    response: Response,
    text: Vec<u8>,
    of: PhantomData<fn() -> Q>,
}

impl Server {
    /// Begins a subscription.
    pub async fn subscribe<Q: GraphQLQuery>(&self, variables: Q::Variables) -> Result<Events<Q>, Error> {
        let body = Q::build_query(variables);
        let request =
            || self.http.post(self.address("graphql")).header(header::ACCEPT, "text/event-stream").json(&body);
        let response = self.send(request).await?;
        let kind = response.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        if !kind.is_some_and(|kind| kind.starts_with("text/event-stream")) {
            return Err(self.refusal(response).await);
        }
        Ok(Events { server: self.clone(), response, text: Vec::new(), of: PhantomData })
    }
}

impl<Q: GraphQLQuery> Events<Q> {
    /// The next result; `None` where the subscription has come to its end. A stream that breaks before is an error.
    pub async fn next(&mut self) -> Result<Option<Q::ResponseData>, Error> {
        loop {
            let block = self.block().await?;
            let (name, data) = event(&block);
            match name.as_str() {
                "complete" => return Ok(None),
                "next" => {
                    let answer = self.server.parse(data.as_bytes(), None)?;
                    match (answer.errors.into_iter().next(), answer.data) {
                        (Some(error), _) => return Err(error),
                        (None, Some(data)) => return Ok(Some(data)),
                        (None, None) => {}
                    }
                }
                _ => {}
            }
        }
    }

    /// What comes until the next empty line.
    async fn block(&mut self) -> Result<String, Error> {
        let lost = |why: String| Error::Lost { server: self.server.name(), why };
        loop {
            if let Some(end) = self.text.windows(2).position(|two| two == b"\n\n") {
                let block: Vec<u8> = self.text.drain(..end + 2).collect();
                return Ok(String::from_utf8_lossy(&block).into_owned());
            }
            if self.text.len() > LONGEST {
                return Err(lost("an event that does not end".to_owned()));
            }
            match timeout(SILENCE, self.response.chunk()).await {
                Ok(Ok(Some(chunk))) => self.text.extend_from_slice(&chunk),
                Ok(Ok(None)) => return Err(lost("the stream ended".to_owned())),
                Ok(Err(error)) => return Err(Error::on_the_way(&self.server.name(), &error)),
                Err(_) => return Err(lost("it says nothing any more".to_owned())),
            }
        }
    }
}

/// The name and the data of an event; of a comment both are empty.
fn event(block: &str) -> (String, String) {
    let field = |name: &str| {
        let of_line =
            |line: &str| line.strip_prefix(name)?.strip_prefix(':').map(|value| value.trim_start().to_owned());
        block.lines().filter_map(of_line).collect::<Vec<_>>().join("\n")
    };
    (field("event"), field("data"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_have_a_name_and_data() {
        assert_eq!(event("event: next\ndata: {\"a\":1}\n\n"), ("next".to_owned(), "{\"a\":1}".to_owned()));
        assert_eq!(event("event: complete\ndata:\n\n"), ("complete".to_owned(), String::new()));
        assert_eq!(event(":\n\n"), (String::new(), String::new()));
        assert_eq!(event("event:next\ndata:[\ndata:1]\n\n").1, "[\n1]");
    }
}
