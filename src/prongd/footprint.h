/* What a fork of prongd copies. */
#ifndef PRONGD_FOOTPRINT_H
#define PRONGD_FOOTPRINT_H

/* Keeps from children what is of use to the loading of the program alone. */
void footprint_reduce(void);

#endif
