// How the library is compiled: header-only (the default), or its non-template bodies once.
//
// Define LOCKSTEP_SEPARATE_COMPILATION in every translation unit of a program and include
// <lockstep/src.hpp> in exactly one of them: then the bodies in impl/*.ipp are compiled there only.
// The macro changes no layout and no behaviour.
#pragma once

#ifdef LOCKSTEP_SEPARATE_COMPILATION
#define LOCKSTEP_DECL
#else
#define LOCKSTEP_DECL inline
#endif
