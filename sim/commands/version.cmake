# Writes version.cpp again when the commit is another one: cmake -DSOURCE=DIR -DTO=FILE -P version.cmake
find_package(Git QUIET)
set(LOCKSTEP_COMMIT "")
if(GIT_FOUND)
    execute_process(COMMAND ${GIT_EXECUTABLE} describe --always --dirty --abbrev=12 WORKING_DIRECTORY ${SOURCE}
        OUTPUT_VARIABLE LOCKSTEP_COMMIT OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
endif()
if(NOT LOCKSTEP_COMMIT)
    set(LOCKSTEP_COMMIT "sources without a commit")
endif()
configure_file(${SOURCE}/sim/commands/version.cpp.in ${TO} @ONLY)
