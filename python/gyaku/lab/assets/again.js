// A page that is loaded again has no token in its address; this tab may still know it.
const token = sessionStorage.getItem("token");
if (token && !location.search) location.replace(`/?token=${token}${location.hash}`);
