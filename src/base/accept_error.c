#include "accept_error.h"

#include <errno.h>

bool accept_error_is_clients(int error)
{
	switch (error) {
	case EINTR:
	case ECONNABORTED:
	case EPERM: /* refused by a firewall rule */
	case EPROTO:
	case ENETDOWN:
	case ENOPROTOOPT:
	case EHOSTDOWN:
	case ENONET:
	case EHOSTUNREACH:
	case EOPNOTSUPP:
	case ENETUNREACH:
	case ETIMEDOUT:
	case ECONNRESET:
		return true;
	default:
		return false;
	}
}
