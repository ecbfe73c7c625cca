// The bodies of the library, compiled once. Define LOCKSTEP_SEPARATE_COMPILATION in every translation
// unit of the program and include this header in exactly one of them (base/config.hpp).
#pragma once

#ifndef LOCKSTEP_SEPARATE_COMPILATION
#error "lockstep/src.hpp is for programs built with LOCKSTEP_SEPARATE_COMPILATION"
#endif

#include <lockstep/base/impl/assert.ipp>
#include <lockstep/base/impl/sha256.ipp>
#include <lockstep/codec/impl/command.ipp>
#include <lockstep/codec/impl/envelope.ipp>
#include <lockstep/codec/impl/node_messages.ipp>
#include <lockstep/codec/impl/state.ipp>
#include <lockstep/codec/impl/tree_snapshot.ipp>
#include <lockstep/content/impl/manifest.ipp>
#include <lockstep/folder/impl/apply.ipp>
#include <lockstep/folder/impl/tree.ipp>
#include <lockstep/folder/impl/tree_builder.ipp>
#include <lockstep/http/impl/status_json.ipp>
#include <lockstep/os/impl/asio_runtime.ipp>
#include <lockstep/os/impl/asio_streams.ipp>
#include <lockstep/os/impl/linux_kernel_events.ipp>
#include <lockstep/os/impl/posix_file_system.ipp>
#include <lockstep/os/impl/posix_file_system_files.ipp>
#include <lockstep/raft/impl/core.ipp>
#include <lockstep/raft/impl/election.ipp>
#include <lockstep/raft/impl/log_view.ipp>
#include <lockstep/raft/impl/output.ipp>
#include <lockstep/raft/impl/reads.ipp>
#include <lockstep/raft/impl/replication.ipp>
#include <lockstep/raft/impl/snapshots.ipp>
#include <lockstep/storage/impl/journal_format.ipp>
#include <lockstep/storage/impl/pack_format.ipp>
#include <lockstep/storage/impl/wal_format.ipp>
#include <lockstep/sync/impl/edit_tracker.ipp>
#include <lockstep/sync/impl/journal_records.ipp>
#include <lockstep/transport/impl/frame.ipp>
#include <lockstep/transport/impl/handshake.ipp>
