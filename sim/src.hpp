// The bodies of the simulator, compiled once: see lockstep/base/config.hpp.
#pragma once

#ifndef LOCKSTEP_SEPARATE_COMPILATION
#error "define LOCKSTEP_SEPARATE_COMPILATION in the whole program"
#endif

#include <sim/checkers/impl/wal_image.ipp>
#include <sim/disk/impl/disk_inode.ipp>
#include <sim/disk/impl/sim_disk.ipp>
#include <sim/disk/impl/sim_disk_power.ipp>
#include <sim/history/impl/history_file.ipp>
#include <sim/impl/determinism.ipp>
#include <sim/impl/draw_scenario.ipp>
#include <sim/impl/scenario.ipp>
#include <sim/network/impl/sim_network.ipp>
#include <sim/network/impl/sim_transport.ipp>
#include <sim/trace/impl/exports.ipp>
#include <sim/trace/impl/messages.ipp>
#include <sim/trace/impl/trace_file.ipp>
#include <sim/trace/impl/trace_reader.ipp>
#include <sim/workload/impl/choose_edit.ipp>
#include <sim/workload/impl/sim_user.ipp>
