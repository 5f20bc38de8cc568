//! Settings of sign-in, and of how often callers may ask.

use std::{
    net::{IpAddr, SocketAddr},
    num::NonZeroU32,
    sync::Arc,
};

use clap::{Args, ValueEnum};
use ipnet::IpNet;

use super::Exit;
use crate::auth::{
    Access, Clock,
    jwks::{BadSource, Jwks, Source, Timing},
    login::Login,
    rate::{Limiter, Rate},
    token::{Rules, Secret},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Mode {
    /// No login: every caller is the built-in user; loopback only
    Local,
    /// Bearer tokens (JWT), by a secret or by published keys
    Jwt,
}

/// What tokens say beside who it is; the same for `serve` and `token`.
#[derive(Debug, Args)]
pub struct Aim {
    /// The audience (`aud`) of tokens: `token` writes it, `serve` demands it; without it any or none will do
    #[arg(long, env = "JOBLINK_JWT_AUDIENCE", value_name = "TEXT")]
    jwt_audience: Option<String>,
    /// The issuer (`iss`) of tokens: `token` writes it, `serve` demands it; without it any or none will do
    #[arg(long, env = "JOBLINK_JWT_ISSUER", value_name = "TEXT")]
    jwt_issuer: Option<String>,
}

impl Aim {
    /// The rules that follow from it.
    pub fn rules(&self) -> Rules {
        let (audience, issuer) = (self.jwt_audience.clone(), self.jwt_issuer.clone());
        Rules { audience, issuer, ..Rules::default() }
    }
}

impl Aim {
    /// Whoever has keys published may issue tokens to many.
    fn warn_of_gaps(&self) {
        let audience = self.jwt_audience.is_none().then_some("--jwt-audience");
        let issuer = self.jwt_issuer.is_none().then_some("--jwt-issuer");
        let missing: Vec<_> = audience.into_iter().chain(issuer).collect();
        if !missing.is_empty() {
            tracing::warn!(
                "tokens are taken that were meant for others, where one of the published keys has signed them: set {}",
                missing.join(" and ")
            );
        }
    }
}

/// What `serve` takes of it.
#[derive(Debug, Args)]
pub struct SignIn {
    /// How callers sign in
    #[arg(long, env = "JOBLINK_AUTH", value_enum, default_value = "local")]
    auth: Mode,
    /// The secret that signs tokens (HS256), at least 32 bytes; `--auth jwt` needs this or --jwks
    #[arg(long, env = "JOBLINK_JWT_SECRET", hide_env_values = true)]
    jwt_secret: Option<String>,
    /// The published keys of who issues tokens (a JWK set; RS, PS, ES or `EdDSA`): a file, or an https URL
    #[arg(long, env = "JOBLINK_JWKS", value_name = "FILE|URL", value_parser = source)]
    jwks: Option<Source>,
    #[command(flatten)]
    aim: Aim,
    /// How far the clocks of who issues tokens and of this server may differ, in seconds
    #[arg(long, env = "JOBLINK_JWT_LEEWAY", default_value_t = Rules::default().leeway, value_name = "SECONDS",
          value_parser = clap::value_parser!(u64).range(..=600))]
    jwt_leeway: u64,
    /// Requests a second that each user may send, and each address without a login; 0 = any number. With `--auth local`
    /// there is no limit
    #[arg(long, env = "JOBLINK_RATE_LIMIT", default_value_t = 50, value_name = "NUMBER",
          value_parser = clap::value_parser!(u32).range(..=1_000_000))]
    rate_limit: u32,
    /// Requests that each may send at once, after a pause
    #[arg(long, env = "JOBLINK_RATE_BURST", default_value = "200", value_name = "NUMBER", value_parser = burst)]
    rate_burst: NonZeroU32,
    /// Proxies in front of this server, as addresses or networks with commas between them: of these alone
    /// `X-Forwarded-For` is believed
    #[arg(long, env = "JOBLINK_TRUSTED_PROXY", value_name = "LIST", value_parser = proxies)]
    trusted_proxy: Option<Proxies>,
}

#[derive(Clone, Debug)]
struct Proxies(Vec<IpNet>);

fn source(text: &str) -> Result<Source, BadSource> {
    text.parse()
}

fn burst(text: &str) -> Result<NonZeroU32, String> {
    let burst = text.parse().ok().filter(|burst: &NonZeroU32| burst.get() <= 1_000_000);
    burst.ok_or_else(|| "give a number from 1 to 1000000; --rate-limit 0 switches the limit off".to_owned())
}

fn proxies(text: &str) -> Result<Proxies, String> {
    let network = |text: &str| text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
    let all = text.split(',').map(|text| network(text.trim())).collect::<Option<_>>();
    all.map(Proxies).ok_or_else(|| "give addresses or networks, such as 10.0.0.7,192.168.0.0/16,::1".to_owned())
}

impl SignIn {
    /// Who may call a server that listens here.
    pub async fn access(&self, listen: SocketAddr) -> Result<Access, Exit> {
        match self.auth {
            Mode::Local if listen.ip().is_loopback() => Ok(Access::Local),
            Mode::Local => Err(Exit::Refused(format!(
                "without login the server listens on loopback addresses alone, and {listen} is none; use 127.0.0.1 or \
                 --auth jwt"
            ))),
            Mode::Jwt => {
                let clock = Clock::default();
                let login = Arc::new(self.login(clock.clone()).await?);
                Ok(Access::Token { login, limiter: self.limiter(clock).map(Arc::new) })
            }
        }
    }

    async fn login(&self, clock: Clock) -> Result<Login, Exit> {
        let rules = Rules { leeway: self.jwt_leeway, ..self.aim.rules() };
        match (&self.jwt_secret, &self.jwks) {
            (Some(secret), None) => {
                let secret = Secret::new(secret).map_err(|error| Exit::Refused(error.to_string()))?;
                Ok(Login::with_secret(&secret, rules, clock))
            }
            (None, Some(source)) => {
                let jwks = Jwks::follow(source.clone(), Timing::of(source)).await;
                let jwks = jwks.map_err(|error| Exit::Failed(error.to_string()))?;
                self.aim.warn_of_gaps();
                Ok(Login::with_published_keys(jwks, rules, clock))
            }
            (None, None) => Err(Exit::Refused(
                "--auth jwt needs JOBLINK_JWT_SECRET (make one with `openssl rand -hex 32`) or --jwks".to_owned(),
            )),
            (Some(_), Some(_)) => Err(Exit::Refused(
                "tokens are verified by JOBLINK_JWT_SECRET or by --jwks: give one of both".to_owned(),
            )),
        }
    }

    fn limiter(&self, clock: Clock) -> Option<Limiter> {
        let trusted_proxies = self.trusted_proxy.as_ref().map(|Proxies(all)| all.clone()).unwrap_or_default();
        let rate = Rate { per_second: NonZeroU32::new(self.rate_limit)?, burst: self.rate_burst, trusted_proxies };
        Some(Limiter::new(rate, clock))
    }
}
