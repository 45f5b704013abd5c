/* SPDX-License-Identifier: Apache-2.0
 *
 * cmd/cmd.h: the sub-commands of the program. Each is one small file that composes rooms; none holds logic of its own. */
#pragma once

/* Exit codes of every sub-command, for scripts. */
enum sp_exit {
    SP_EXIT_OK = 0,
    SP_EXIT_NOT_FOUND = 1, /* the question was answered: nothing there */
    SP_EXIT_USAGE = 2,     /* the command line or the configuration is wrong */
    SP_EXIT_FAILURE = 3,   /* the server, the store or the network said no */
};

/* argv[0] is the sub-command's own name. Each returns an enum sp_exit. */
int sp_cmd_serve(int argc, char **argv);
int sp_cmd_load(int argc, char **argv);
int sp_cmd_trace(int argc, char **argv);
int sp_cmd_search(int argc, char **argv);
int sp_cmd_metrics(int argc, char **argv);
int sp_cmd_attributes(int argc, char **argv);
int sp_cmd_facets(int argc, char **argv);
int sp_cmd_heatmap(int argc, char **argv);
int sp_cmd_graph(int argc, char **argv);
int sp_cmd_services(int argc, char **argv);
int sp_cmd_operations(int argc, char **argv);
int sp_cmd_latency(int argc, char **argv);
int sp_cmd_critical_path(int argc, char **argv);
int sp_cmd_compare(int argc, char **argv);
int sp_cmd_status(int argc, char **argv);
int sp_cmd_backup(int argc, char **argv);
int sp_cmd_check(int argc, char **argv);
