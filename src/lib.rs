//! The data flow of repro-audit, in its own words.
//!
//! A [`Request`](command) is planned into [`Trial`](model::Trial)s ([`plan`]); each is executed and becomes a
//! [`Run`](model::Run) ([`execute`]), whose output is read into [`Series`](model::Series) ([`parse`]); the series of two
//! runs are compared, which gives a [`Divergence`](model::Divergence) or none ([`compare`]); what was seen is turned into
//! a [`Cause`](model::Cause) or into the next treatments to try ([`blame`]); a baseline decides what counts as a
//! regression ([`gate`]); and the [`Audit`](model::Audit) that comes of it all is drawn ([`report`]).
//! Everything that happened is kept in a folder ([`record`]), with the environment it happened in ([`probe`]).
//!
//! The stages never use one another: they meet in [`command`] only.

pub mod model;

pub mod plan;

pub mod execute;

pub mod parse;

pub mod compare;

pub mod blame;

pub mod gate;

pub mod report;

pub mod record;

pub mod probe;

pub mod cli;
pub mod command;
pub mod error;
pub mod exit;
